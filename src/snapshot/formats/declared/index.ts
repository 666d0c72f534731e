import { cloudworkUpload } from './cloudwork-upload.ts';
import { corvusUsers } from './corvus-users.ts';
import type { FormatDeclaration } from './declaration.ts';
import { oneRoster } from './oneroster.ts';
import { stellicUser } from './stellic-user.ts';

/** The named formats beside `unitu`: each a file of this folder. */
// biome-ignore lint/suspicious/noExplicitAny: each format brings options of its own; its schema proves them
export const declaredFormats: readonly FormatDeclaration<any>[] = [
  stellicUser,
  cloudworkUpload,
  corvusUsers,
  oneRoster,
];
