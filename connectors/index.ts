import type { SourceConnector } from '../src/connector/source.ts';
import type { TargetConnector } from '../src/connector/target.ts';
import { canvas } from './canvas/connector.ts';
import { csvDrop } from './csv-drop/connector.ts';
import { peoplesoft } from './peoplesoft/connector.ts';
import { salesforce } from './salesforce/connector.ts';

/** The registry: every folder beside this file, by a test. */
// biome-ignore lint/suspicious/noExplicitAny: each connector brings settings of its own; the schema proves them
export const sourceConnectors: readonly SourceConnector<any>[] = [csvDrop];
// biome-ignore lint/suspicious/noExplicitAny: as above
export const targetConnectors: readonly TargetConnector<any>[] = [canvas, salesforce, peoplesoft];
