import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sourceConnectors, targetConnectors } from '../../connectors/index.ts';
import { writeSchemas } from '../../src/configure/json-schema.ts';
import { openapiFile, openapiText } from '../../src/operate/control/openapi.ts';
import { contractFiles } from '../../src/operate/integration/openapi.ts';
import { version } from '../../src/operate/version.ts';

/** `npm run schemas`: writes config/schemas again, after a change of any schema of the configuration, the socket or the integration API. */
const folder = fileURLToPath(new URL('../../config/schemas', import.meta.url));
const written = [writeSchemas({ sources: sourceConnectors, targets: targetConnectors }, folder)];
for (const [name, text] of Object.entries({ [openapiFile]: openapiText(version), ...contractFiles(version) })) {
  written.push(join(folder, name));
  writeFileSync(written.at(-1)!, text);
}
process.stdout.write(`${written.join('\n')}\n`);
