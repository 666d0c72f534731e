import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sourceConnectors, targetConnectors } from '../../connectors/index.ts';
import { writeSchemas } from '../../src/configure/json-schema.ts';
import { openapiFile, openapiText } from '../../src/operate/control/openapi.ts';
import { version } from '../../src/operate/version.ts';

/** `npm run schemas`: writes config/schemas again, after a change of any schema of the configuration or of the socket. */
const folder = fileURLToPath(new URL('../../config/schemas', import.meta.url));
const file = writeSchemas({ sources: sourceConnectors, targets: targetConnectors }, folder);
writeFileSync(join(folder, openapiFile), openapiText(version));
process.stdout.write(`${file}\n${join(folder, openapiFile)}\n`);
