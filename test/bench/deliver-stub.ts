import { targetStubs } from '../../connectors/index.ts';
import { startStub } from '../../src/connector/stub.ts';

/** The stub of one target in a process of its own, until its standard input ends. Usage: deliver-stub.ts KIND */
const [, , kind = ''] = process.argv;
const stub = await startStub(targetStubs.find((one) => one.kind === kind)!);
process.stdout.write(`${stub.url}\n`);
process.stdin.resume().on('end', () => void stub.close());
