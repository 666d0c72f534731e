import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cells, csvLine, type FileName, fileNames, header } from './layout.ts';
import type { CanvasSettings } from './schema.ts';
import type { Changes } from './sheets.ts';

/** A CSV file that has been written. */
export interface Written {
  name: FileName;
  path: string;
}

/** Writes the rows of changes as files into the directory; files without rows are left out. */
export async function writeRows(changes: Changes, dir: string, settings: CanvasSettings): Promise<Written[]> {
  let files: Written[];
  do {
    const outs = new Map<FileName, CsvFile>();
    files = await writing(dir, settings, async (create) => {
      for (const { file, cells } of changes.rows()) {
        if (!outs.has(file)) outs.set(file, await create(file));
        const wait = outs.get(file)!.add(cells);
        if (wait) await wait;
      }
    });
  } while (changes.again);
  return files;
}

/** Whatever `write` creates is closed afterwards, and handed out in the order in which Canvas works on it. */
export async function writing(
  dir: string,
  settings: CanvasSettings,
  write: (create: (name: FileName) => Promise<CsvFile>) => Promise<void>,
): Promise<Written[]> {
  const files: CsvFile[] = [];
  try {
    await write(async (name) => {
      const file = await CsvFile.create(name, join(dir, name), settings);
      files.push(file);
      return file;
    });
    for (const file of files) await file.end();
  } catch (error) {
    for (const file of files) await file.abandon().catch(() => {});
    throw error;
  }
  const order = (name: FileName): number => fileNames.indexOf(name);
  return files.map(({ name, path }) => ({ name, path })).sort((a, b) => order(a.name) - order(b.name));
}

/** So many characters are gathered before they are written. */
const gathered = 256 * 1024;

/** A CSV file that is being written. */
export class CsvFile {
  readonly name: FileName;
  readonly path: string;
  /** The number that the next row will have. */
  next = 2;
  readonly #handle: FileHandle;
  #lines: string[] = [];
  #size = 0;

  private constructor(name: FileName, path: string, handle: FileHandle) {
    this.name = name;
    this.path = path;
    this.#handle = handle;
  }

  static async create(name: FileName, path: string, settings: CanvasSettings): Promise<CsvFile> {
    const file = new CsvFile(name, path, await open(path, 'w', 0o600));
    file.#push(header(name, settings));
    return file;
  }

  #push(cells: Cells): void {
    const line = csvLine(cells);
    this.#lines.push(line);
    this.#size += line.length;
  }

  /** Waits only now and then, that memory stays flat. */
  add(cells: Cells): void | Promise<void> {
    this.next += 1;
    this.#push(cells);
    if (this.#size >= gathered) return this.#flush();
  }

  async #flush(): Promise<void> {
    const text = this.#lines.join('');
    this.#lines = [];
    this.#size = 0;
    await this.#handle.appendFile(text);
  }

  /** Writes the rest. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#handle.close();
  }

  /** Leaves it as it is. */
  abandon(): Promise<void> {
    return this.#handle.close();
  }
}
