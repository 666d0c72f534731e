import { describe } from 'vitest';

/**
 * Tests that need a real server. Where the server is not installed they are left out, and the reason is printed; where
 * `ROSTERD_TEST_REQUIRE` (a comma list: `sftp,ldap`) names it they fail instead, so that a build machine that should
 * have it cannot pass by not looking.
 */
export function requireServer(name: string, probe: () => string | null): typeof describe | typeof describe.skip {
  const missing = probe();
  if (missing === null) return describe;
  const required = (process.env['ROSTERD_TEST_REQUIRE'] ?? '').split(',').map((entry) => entry.trim());
  if (required.includes(name)) throw new Error(`ROSTERD_TEST_REQUIRE asks for ${name}, but ${missing}`);
  // `all.ts` finds the reason in the title
  const skip = (title: string | (() => void), ...rest: never[]): void => {
    describe.skip(`${String(title)} [left out: ${missing}]`, ...rest);
  };
  return Object.assign(skip, describe.skip) as typeof describe.skip;
}
