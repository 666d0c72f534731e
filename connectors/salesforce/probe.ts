import { Misconfigured, Unavailable } from '../../src/base/errors.ts';
import type { Client } from './client.ts';
import { type Expected, expectations, problems } from './requirements.ts';
import type { SalesforceSettings } from './schema.ts';
import { type Described, describeAnswer } from './wire.ts';

/** Logs in and compares every object with the settings. Changes nothing; throws `Misconfigured` with all that is wrong. */
export async function probeOrg(settings: SalesforceSettings, client: Client): Promise<string[]> {
  await client.login();
  const sentences = [`logged in to ${new URL(settings.url).origin}`];
  const wrong: string[] = [];
  const described = new Map<string, Described>();
  const expected = expectations(settings);
  let usage: string | undefined;
  for (const { object, externalId, fields } of expected) {
    const seen = await describe(client, object);
    if ('missing' in seen) wrong.push(`there is no object ${object}, or the user may not see it (${seen.missing})`);
    else {
      described.set(object, seen.found);
      usage = seen.usage ?? usage;
      sentences.push(
        `${object}: matched by ${externalId}, ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}`,
      );
    }
  }
  for (const one of expected) {
    const found = described.get(one.object);
    if (found) wrong.push(...problems(one, found), ...parentProblems(one, described));
  }
  if (wrong.length > 0)
    throw new Misconfigured(`the org does not fit the settings: ${[...new Set(wrong)].join('; ')}`, {
      remedy: 'create what is missing in Salesforce, or name other objects and fields in the target',
    });
  if (usage) sentences.push(`API requests of the day: ${usage}`);
  return sentences;
}

async function describe(
  client: Client,
  object: string,
): Promise<{ found: Described; usage: string | undefined } | { missing: string }> {
  try {
    const { json, answer } = await client.call({ method: 'GET', resource: `sobjects/${object}/describe` });
    const parsed = describeAnswer.safeParse(json);
    if (!parsed.success) throw new Unavailable(`Salesforce's description of ${object} cannot be read`);
    const usage = /(?<!per-app-)api-usage=(\d+\/\d+)/.exec(answer.headers['sforce-limit-info'] ?? '')?.[1];
    return { found: parsed.data, usage };
  } catch (error) {
    if (error instanceof Misconfigured) return { missing: error.message };
    throw error;
  }
}

/** A parent is found by an indexed field: what is an external id is indexed. */
function parentProblems({ relations }: Expected, described: ReadonlyMap<string, Described>): string[] {
  return relations.flatMap(({ to: { object, externalId } }) => {
    const fields = described.get(object)?.fields;
    const field = fields?.find(({ name }) => name.toLowerCase() === externalId.toLowerCase());
    return field && !field.externalId ? [`${object}.${externalId} must be marked External Id and Unique`] : [];
  });
}
