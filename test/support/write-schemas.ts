import { fileURLToPath } from 'node:url';
import { sourceConnectors, targetConnectors } from '../../connectors/index.ts';
import { writeSchemas } from '../../src/configure/json-schema.ts';

/** `npm run schemas`: writes config/schemas again, after a change of any configuration schema. */
const file = writeSchemas(
  { sources: sourceConnectors, targets: targetConnectors },
  fileURLToPath(new URL('../../config/schemas', import.meta.url)),
);
process.stdout.write(`${file}\n`);
