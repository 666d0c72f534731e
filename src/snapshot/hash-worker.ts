import { parentPort } from 'node:worker_threads';
import { claim, type HashBlock, hashBlock } from './hash-block.ts';

/** The second thread of `RowHasher`: takes blocks as they come, unless the first one was quicker. */
parentPort?.on('message', (block: HashBlock) => {
  if (!claim(block)) return;
  hashBlock(block);
  parentPort?.postMessage(null);
});
