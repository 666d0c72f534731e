import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

/** Drops of any size, made the same way every time: row `n` in version `v` of a person is always the same bytes. */

const header = 'faculty,department,course,firstName,lastName,email,id,year\r\n';

function row(n: number, version: number): string {
  const department = n % 40;
  return (
    `Faculty of Engineering,Department ${department},"Course ${department}-${n % 400}, Advanced",` +
    `First${n % 997},Last${version}-${n % 7919},student.${n}@students.example.edu,s${String(n).padStart(8, '0')},${n % 5}\r\n`
  );
}

/** How a drop differs from the plain one: shares of rows that are modified, gone, and new. */
export interface Change {
  modified: number;
  gone: number;
  fresh: number;
}

/** Writes a drop of `count` rows with a change, spread evenly over the file. */
export async function writeDrop(file: string, count: number, change: Change): Promise<void> {
  const out = createWriteStream(file);
  let chunk = [header];
  const put = async (line: string): Promise<void> => {
    chunk.push(line);
    if (chunk.length < 5000) return;
    if (!out.write(chunk.join(''))) await once(out, 'drain');
    chunk = [];
  };
  const every = (share: number): number => (share > 0 ? Math.round(1 / share) : 0);
  const [modified, gone] = [every(change.modified), every(change.gone)];
  for (let n = 0; n < count; n += 1) {
    if (gone && n % gone === 1) continue;
    await put(row(n, modified && n % modified === 0 ? 1 : 0));
  }
  for (let n = 0; n < Math.round(count * change.fresh); n += 1) await put(row(count + n, 0));
  out.end(chunk.join(''));
  await once(out, 'finish');
}
