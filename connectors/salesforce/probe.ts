import { Misconfigured, Unavailable } from '../../src/base/errors.ts';
import type { Client } from './client.ts';
import { type Described, describeAnswer, type SalesforceSettings } from './schema.ts';

/** Logs in and compares both objects with the settings. Changes nothing; throws `Misconfigured` with all that is wrong. */
export async function probeOrg(settings: SalesforceSettings, client: Client): Promise<string[]> {
  await client.login();
  const sentences = [`logged in to ${new URL(settings.url).origin}`];
  const wrong: string[] = [];
  for (const part of ['contact', 'enrolment'] as const) {
    const { object, externalId, fields } = settings[part];
    const described = await describe(client, object);
    if ('missing' in described) {
      wrong.push(`there is no object ${object}, or the run-as user may not see it (${described.missing})`);
      continue;
    }
    const names = Object.values(fields).filter((name) => typeof name === 'string');
    wrong.push(...problems(object, externalId, names, described.found));
    if (part === 'enrolment') wrong.push(...relationProblems(settings, described.found));
    sentences.push(`${object}: matched by ${externalId}, ${names.length} fields`);
    if (part === 'enrolment' && described.usage) sentences.push(`API requests of the day: ${described.usage}`);
  }
  if (wrong.length > 0)
    throw new Misconfigured(`the org does not fit the settings: ${wrong.join('; ')}`, {
      remedy: 'create what is missing in Salesforce, or name other objects and fields in the target',
    });
  return sentences;
}

async function describe(
  client: Client,
  object: string,
): Promise<{ found: Described; usage: string | undefined } | { missing: string }> {
  try {
    const { json, answer } = await client.call('GET', `sobjects/${object}/describe`);
    const parsed = describeAnswer.safeParse(json);
    if (!parsed.success) throw new Unavailable(`Salesforce's description of ${object} cannot be read`);
    const usage = /api-usage=(\d+\/\d+)/.exec(answer.headers['sforce-limit-info'] ?? '')?.[1];
    return { found: parsed.data, usage };
  } catch (error) {
    if (error instanceof Misconfigured) return { missing: error.message };
    throw error;
  }
}

/** What keeps the object from taking our records: names are compared without case, as Salesforce does. */
export function problems(object: string, externalId: string, fields: readonly string[], found: Described): string[] {
  const byName = new Map(found.fields.map((field) => [field.name.toLowerCase(), field]));
  const wrong: string[] = [];
  const key = byName.get(externalId.toLowerCase());
  if (!key) wrong.push(`${object} has no field ${externalId}`);
  else if (!key.externalId || !key.unique)
    wrong.push(
      `${object}.${externalId} must be marked ${[!key.externalId && 'External Id', !key.unique && 'Unique'].filter(Boolean).join(' and ')}`,
    );
  for (const name of fields) {
    const field = byName.get(name.toLowerCase());
    if (!field) wrong.push(`${object} has no field ${name}`);
    else if (!field.createable || !field.updateable) wrong.push(`${object}.${name} cannot be written`);
  }
  return wrong;
}

function relationProblems({ contact, enrolment }: SalesforceSettings, found: Described): string[] {
  const relation = found.fields.find(
    (field) => field.relationshipName?.toLowerCase() === enrolment.contactRelation.toLowerCase(),
  );
  if (!relation) return [`${enrolment.object} has no relationship ${enrolment.contactRelation}`];
  if (!relation.referenceTo.some((object) => object.toLowerCase() === contact.object.toLowerCase()))
    return [`${enrolment.object}.${enrolment.contactRelation} does not lead to ${contact.object}`];
  return [];
}
