import { existsSync, readdirSync } from 'node:fs';
import { ldap } from '../../../connectors/ldap/connector.ts';
import type { LdapSettings } from '../../../connectors/ldap/schema.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { Log } from '../../../src/base/log.ts';
import { silentLog } from '../../../src/base/log.ts';
import { temporaryFolder } from '../drop.ts';
import { type LdapRow, ldapContext, rowsOf } from './pull.ts';

/** A source that is pulled again and again, each time with what the last accepted pull left. */
export class KeptSource {
  readonly keepDir = temporaryFolder();
  lastContent: string | null = null;
  /** Moves what the clock says. */
  aheadMs = 0;
  readonly #columns: readonly string[];
  constructor(columns: readonly string[]) {
    this.#columns = columns;
  }

  /** One pull: its rows, and why everything was read; null when only changes were. */
  async pull(
    settings: LdapSettings,
    accept = true,
  ): Promise<{ rows: LdapRow[]; content: string; full: string | null }> {
    let full: string | null = 'nothing was said';
    const log = {
      ...silentLog,
      info: (fields: { event: string; reason?: string | null }) => {
        if (fields.event === 'ldap.reading') full = fields.reason ?? null;
      },
    } as unknown as Log;
    const clock = { ...systemClock, now: () => new Date(Date.now() + this.aheadMs) };
    const { keepDir, lastContent } = this;
    const answer = (await ldap.pull(settings, ldapContext(this.#columns, { keepDir, lastContent, log, clock })))!;
    const rows = await rowsOf(answer);
    if (accept) {
      await answer.accepted();
      this.lastContent = answer.content;
    }
    await answer.close();
    return { rows, content: answer.content, full };
  }

  /** Cells by the first one of each row, in its order. */
  async cells(settings: LdapSettings): Promise<{ cells: string[][]; full: string | null }> {
    const { rows, full } = await this.pull(settings);
    const cells = rows.map((row) => [...(row.cells ?? ['broken'])]);
    return { cells: cells.sort((a, b) => (a.join() < b.join() ? -1 : 1)), full };
  }

  files(): string[] {
    return existsSync(this.keepDir) ? readdirSync(this.keepDir).sort() : [];
  }
}
