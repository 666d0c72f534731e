import type { SourceConnector } from '../src/connector/source.ts';
import type { StubDeclaration } from '../src/connector/stub.ts';
import type { TargetConnector } from '../src/connector/target.ts';
import { canvas } from './canvas/connector.ts';
import { canvasStub } from './canvas/stub.ts';
import { csvDrop } from './csv-drop/connector.ts';
import { ldap } from './ldap/connector.ts';
import { peoplesoft } from './peoplesoft/connector.ts';
import { peoplesoftStub } from './peoplesoft/stub.ts';
import { push } from './push/connector.ts';
import { salesforce } from './salesforce/connector.ts';
import { salesforceStub } from './salesforce/stub.ts';
import { sisHttp } from './sis-http/connector.ts';

/** The registry: every folder beside this file, by a test. */
// biome-ignore lint/suspicious/noExplicitAny: each connector brings settings of its own; its schema proves them
export const sourceConnectors: readonly SourceConnector<any>[] = [csvDrop, ldap, push, sisHttp];
/** Where changes go. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export const targetConnectors: readonly TargetConnector<any>[] = [canvas, salesforce, peoplesoft];
/** A stand-in for each of the targets. */
export const targetStubs: readonly StubDeclaration[] = [canvasStub, salesforceStub, peoplesoftStub];
