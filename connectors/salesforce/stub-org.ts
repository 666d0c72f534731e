import { randomBytes } from 'node:crypto';

/** The org behind the stub: two objects, their rules, and collections upsert as Salesforce answers it. */

interface Field {
  name: string;
  type: 'string' | 'email' | 'double' | 'reference';
  length: number;
  externalId?: boolean;
  required?: boolean;
  relationshipName?: string;
  referenceTo?: string;
}
interface SObject {
  name: string;
  prefix: string;
  fields: Field[];
}
/** A stored record; a reference holds the id of its parent. */
export type Row = { Id: string } & Record<string, unknown>;
/** Why a record is refused. */
export interface ApiError {
  statusCode: string;
  message: string;
  fields: string[];
}

/** What became of one record of a collection. */
export interface Outcome {
  id?: string;
  success: boolean;
  errors: ApiError[];
  created?: boolean;
}

/** A body that JSON allows and the object's types do not: the whole request fails, not one record. */
export class BadBody extends Error {}

const text = (name: string, more: Partial<Field> = {}): Field => ({ name, type: 'string', length: 255, ...more });

/** The org's objects; names as the connector's defaults have them. `FirstName` 40 and `LastName` 80 are Salesforce's. */
export const objects: readonly SObject[] = [
  {
    name: 'Contact',
    prefix: '003',
    fields: [
      text('FirstName', { length: 40 }),
      text('LastName', { length: 80, required: true }),
      { name: 'Email', type: 'email', length: 80 },
      text('Rosterd_Account__c', { externalId: true }),
      text('Rosterd_Id__c'),
      { name: 'Rosterd_Year__c', type: 'double', length: 0 },
      text('Rosterd_Status__c'),
    ],
  },
  {
    name: 'Rosterd_Enrolment__c',
    prefix: 'a00',
    fields: [
      text('Rosterd_Key__c', { externalId: true }),
      {
        name: 'Rosterd_Contact__c',
        type: 'reference',
        length: 18,
        relationshipName: 'Rosterd_Contact__r',
        referenceTo: 'Contact',
      },
      text('Rosterd_Faculty__c'),
      text('Rosterd_Department__c'),
      text('Rosterd_Course__c'),
      text('Rosterd_Status__c'),
    ],
  },
];

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
/** The object of that name, without regard to case. */
export const objectNamed = (name: string): SObject | undefined => objects.find((object) => same(object.name, name));
/** The field of that name, without regard to case. */
export const fieldNamed = (object: SObject, name: string): Field | undefined =>
  object.fields.find((field) => same(field.name, name));

/** The records of the org, and what Salesforce makes of those that come. */
export class Org {
  readonly #rows = new Map<string, Map<string, Row>>();
  readonly #locks = new Map<string, number>();

  /** The next `times` writes of these external ids meet a locked row. */
  lock(externalIds: readonly string[], times: number): void {
    for (const id of externalIds) this.#locks.set(id.toLowerCase(), times);
  }

  rows(object: string): Row[] {
    return [...this.#table(object).values()];
  }

  /** External ids match without case, as Salesforce does for fields not defined otherwise. */
  find(object: string, externalId: string): Row | undefined {
    return this.#table(object).get(externalId.toLowerCase());
  }

  /** Collections upsert: one outcome for each record, in order. */
  upsert(object: SObject, keyField: Field, records: readonly Record<string, unknown>[], allOrNone: boolean): Outcome[] {
    const keys = records.map((record) => keyOf(record, keyField));
    const seen = new Map<string, number>();
    for (const key of keys) if (key !== undefined) seen.set(key.toLowerCase(), (seen.get(key.toLowerCase()) ?? 0) + 1);
    for (const record of records) checkTypes(object, record);
    const before = new Map(this.#table(object.name));
    const outcomes = records.map((record, index) => {
      const key = keys[index];
      if (key === undefined) return failure('MISSING_ARGUMENT', `${keyField.name} not specified`, [keyField.name]);
      if (seen.get(key.toLowerCase())! > 1)
        return failure('DUPLICATE_VALUE', `Duplicate external id specified: ${key}`, [keyField.name]);
      return this.#write(object, key, record);
    });
    if (!allOrNone || outcomes.every(({ success }) => success)) return outcomes;
    this.#rows.set(object.name, before);
    // `created: true` on records that were never created is Salesforce's own (jsforce test/connection-crud.test.ts).
    return outcomes.map(({ success, errors }, index) => ({
      success: false,
      errors: success
        ? [
            {
              statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK',
              message:
                'Record rolled back because not all records were valid and the request was using AllOrNone header',
              fields: [],
            },
          ]
        : errors,
      created: !before.has((keys[index] ?? '').toLowerCase()),
    }));
  }

  #write(object: SObject, key: string, record: Record<string, unknown>): Outcome {
    const existing = this.find(object.name, key);
    const next: Row = { ...(existing ?? { Id: object.prefix + randomId() }) };
    const errors: ApiError[] = [];
    for (const [name, value] of Object.entries(record)) {
      if (name === 'attributes') continue;
      const error = this.#assign(object, next, name, value);
      if (error) errors.push(error);
    }
    const missing = object.fields.filter((field) => field.required && (next[field.name] ?? '') === '');
    if (missing.length > 0) {
      const names = missing.map((field) => field.name);
      errors.push({
        statusCode: 'REQUIRED_FIELD_MISSING',
        message: `Required fields are missing: [${names.join(', ')}]`,
        fields: names,
      });
    }
    if (errors.length > 0) return { success: false, errors, created: false };
    const locked = this.#locks.get(key.toLowerCase()) ?? 0;
    if (locked > 0) {
      this.#locks.set(key.toLowerCase(), locked - 1);
      const message = `unable to obtain exclusive access to this record or 1 records: ${next.Id}`;
      return failure('UNABLE_TO_LOCK_ROW', message, []);
    }
    this.#table(object.name).set(key.toLowerCase(), next);
    return { id: next.Id, success: true, errors: [], created: existing === undefined };
  }

  #assign(object: SObject, row: Row, name: string, value: unknown): ApiError | null {
    if (same(name, 'Id'))
      return error('INVALID_FIELD', 'The Id field should not be specified in the sobject data.', ['Id']);
    const relation = object.fields.find(
      (candidate) => candidate.relationshipName && same(candidate.relationshipName, name),
    );
    if (relation) return this.#assignParent(object, row, relation, value);
    const field = fieldNamed(object, name);
    if (!field) return error('INVALID_FIELD', `No such column '${name}' on sobject of type ${object.name}`, []);
    if (typeof value === 'string' && value.length > field.length && field.type !== 'double')
      return error('STRING_TOO_LONG', `${field.name}: data value too large: ${value} (max length=${field.length})`, [
        field.name,
      ]);
    if (field.type === 'email' && typeof value === 'string' && !/^[^\s@]+@[^\s@]+\.[^\s@.]+$/.test(value))
      return error('INVALID_EMAIL_ADDRESS', `${field.name}: invalid email address: ${value}`, [field.name]);
    row[field.name] = value === '' ? null : value;
    return null;
  }

  #assignParent(object: SObject, row: Row, relation: Field, value: unknown): ApiError | null {
    const parent = objectNamed(relation.referenceTo!)!;
    const [name, key] = Object.entries((value ?? {}) as object).find(([part]) => part !== 'attributes') ?? ['', ''];
    const field = fieldNamed(parent, name);
    if (!field?.externalId)
      return error('INVALID_FIELD', `No such column '${name}' on sobject of type ${parent.name}`, []);
    const found = this.find(parent.name, String(key));
    if (!found)
      return error(
        'INVALID_FIELD',
        `Foreign key external ID: ${String(key).toLowerCase()} not found for field ${field.name} in entity ${parent.name}`,
        [],
      );
    row[fieldNamed(object, relation.name)!.name] = found.Id;
    return null;
  }

  #table(object: string): Map<string, Row> {
    const table = this.#rows.get(object) ?? new Map<string, Row>();
    this.#rows.set(object, table);
    return table;
  }
}

function error(statusCode: string, message: string, fields: string[]): ApiError {
  return { statusCode, message, fields };
}

function failure(statusCode: string, message: string, fields: string[]): Outcome {
  return { success: false, errors: [error(statusCode, message, fields)], created: false };
}

function keyOf(record: Record<string, unknown>, field: Field): string | undefined {
  const value = Object.entries(record).find(([name]) => same(name, field.name))?.[1];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** JSON types are checked for the whole request before anything is written. */
function checkTypes(object: SObject, record: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(record)) {
    const field = fieldNamed(object, name);
    if (!field || value === null) continue;
    const wanted = field.type === 'double' ? 'number' : 'string';
    if (typeof value === wanted) continue;
    const given = typeof value === 'number' ? 'VALUE_NUMBER_INT' : `VALUE_${(typeof value).toUpperCase()}`;
    throw new BadBody(
      `Cannot deserialize instance of ${wanted === 'number' ? 'double' : 'string'} from ${given} value`,
    );
  }
}

/** Fifteen characters after the prefix of three, as Salesforce ids have. */
function randomId(): string {
  return randomBytes(12).toString('base64url').replace(/[-_]/g, 'x').slice(0, 15).padEnd(15, '0');
}
