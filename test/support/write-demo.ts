import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { makeSample } from '../../src/operate/demo/sample.ts';

/** `npm run demo-drops`: writes config/demo again, after a change of the sample. */
for (const { name, text } of Object.values(makeSample())) {
  const file = fileURLToPath(new URL(`../../config/demo/${name}`, import.meta.url));
  writeFileSync(file, text);
  process.stdout.write(`${file}\n`);
}
