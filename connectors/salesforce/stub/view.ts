import { type Jobs, jobView } from './jobs.ts';
import { objectNamed, relationNamed } from './objects.ts';
import type { Org, Row } from './org.ts';

/** What a person sees of the org: no ids of its own, in the order of the external ids, so that two runs compare. */
export function viewOf(org: Org, jobs: Jobs): object {
  const shown = (object: string): object[] => {
    const key = keyField(object);
    return org
      .rows(object)
      .sort((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1))
      .map(({ Id: _, ...row }) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => cell(object, name, value))),
      );
  };
  /** A reference is shown as the parent's own key, under the name of the relationship. */
  const cell = (object: string, name: string, value: unknown): [string, unknown] => {
    const relation = name.replace(/__c$/, '__r');
    const field = relationNamed(objectNamed(object)!, relation);
    if (!field) return [name, value];
    const parent = org.byId(field.referenceTo!, String(value)) as Row | undefined;
    return [relation, parent?.[keyField(field.referenceTo!)] ?? null];
  };
  return {
    contacts: shown('Contact'),
    enrolments: shown('Rosterd_Enrolment__c'),
    accounts: shown('Account'),
    terms: shown('hed__Term__c'),
    courses: shown('hed__Course__c'),
    offerings: shown('hed__Course_Offering__c'),
    connections: shown('hed__Course_Enrollment__c'),
    jobs: jobs.all().map((job) => jobView(job, true)),
  };
}

/** The field that rosterd's presets match an object by. */
function keyField(object: string): string {
  if (object === 'Contact') return 'Rosterd_Account__c';
  return object === 'hed__Course__c' || object === 'hed__Course_Enrollment__c'
    ? 'hed__Credentialing_Identifier__c'
    : 'Rosterd_Key__c';
}
