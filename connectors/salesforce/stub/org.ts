import { randomBytes } from 'node:crypto';
import { type Field, fieldNamed, isUnique, objectNamed, objects, relationNamed, type SObject } from './objects.ts';

/** The records of the org behind the stub, and what Salesforce makes of those that come. */

/** A stored record; a reference holds the id of its parent. */
export type Row = { Id: string } & Record<string, unknown>;
/** What comes: fields by name, and parents as objects with one external id. */
export type Given = Record<string, unknown>;

/** Why a record is refused. */
export interface ApiError {
  statusCode: string;
  message: string;
  fields: string[];
  /** Spelt like this by Salesforce. */
  duplicateResut?: object;
}

/** What became of one record of a collection. */
export interface Outcome {
  id?: string;
  success: boolean;
  errors: ApiError[];
  created?: boolean;
}

/** How many writes meet a locked row, and whether it is a trigger that meets it. */
interface Lock {
  times: number;
  inTrigger: boolean;
}

/** A body that JSON allows and the object's types do not: the whole request fails, not one record. */
export class BadBody extends Error {}

const preferred: Record<string, string> = {
  'University Email': 'hed__UniversityEmail__c',
  'Work Email': 'hed__WorkEmail__c',
  'Alternate Email': 'hed__AlternateEmail__c',
};

/** The records of the org. */
export class Org {
  /** True: a new contact with an e-mail address that another has is a possible duplicate. */
  duplicateRule = false;
  readonly #rows = new Map<string, Map<string, Row>>(objects.map(({ name }) => [name, new Map()]));
  /** By object and external id field: values in lower case. */
  readonly #index = new Map<string, Map<string, Set<Row>>>();
  readonly #locks = new Map<string, Lock>();

  /** The next `times` writes of these external ids meet a locked row. */
  lock(externalIds: readonly string[], lock: Lock): void {
    for (const id of externalIds) this.#locks.set(id.toLowerCase(), { ...lock });
  }

  rows(object: string): Row[] {
    return [...this.#rows.get(object)!.values()];
  }

  byId(object: string, id: string): Row | undefined {
    return this.#rows.get(object)!.get(id);
  }

  /** External ids match without case, as Salesforce does for fields not defined otherwise. */
  find(object: SObject, field: Field, value: string): Row[] {
    return [...(this.#index.get(`${object.name}.${field.name}`)?.get(value.toLowerCase()) ?? [])];
  }

  /** Collections upsert: one outcome for each record, in order. */
  upsert(
    object: SObject,
    keyField: Field,
    records: readonly Given[],
    { allOrNone = false, allowSave = false } = {},
  ): Outcome[] {
    for (const record of records) checkTypes(object, record);
    const keys = records.map((record) => keyOf(record, keyField));
    const seen = new Map<string, number>();
    for (const key of keys) if (key !== undefined) seen.set(key.toLowerCase(), (seen.get(key.toLowerCase()) ?? 0) + 1);
    const undo: [Row | undefined, Row][] = [];
    const outcomes = records.map((record, index) => {
      const key = keys[index];
      if (key === undefined) return failure('MISSING_ARGUMENT', `${keyField.name} not specified`, [keyField.name]);
      if (seen.get(key.toLowerCase())! > 1)
        return failure('DUPLICATE_VALUE', `Duplicate external id specified: ${key}`, [keyField.name]);
      const found = this.find(object, keyField, key);
      if (found.length > 1)
        return failure('DUPLICATE_EXTERNAL_ID', `${keyField.name}: more than one record has ${key}`, [keyField.name]);
      return this.write(object, record, found[0], { key, allowSave, undo });
    });
    if (!allOrNone || outcomes.every(({ success }) => success)) return outcomes;
    for (const [before, after] of undo.reverse()) this.#replace(object, after, before);
    // `created: true` on records that were never created is Salesforce's own (jsforce test/connection-crud.test.ts).
    return outcomes.map(({ success, errors }, index) => ({
      success: false,
      errors: success
        ? [
            error(
              'ALL_OR_NONE_OPERATION_ROLLED_BACK',
              'Record rolled back because not all records were valid and the request was using AllOrNone header',
            ),
          ]
        : errors,
      created: this.find(object, keyField, keys[index] ?? '').length === 0,
    }));
  }

  /** Creates a record, or updates the one that exists. */
  write(
    object: SObject,
    record: Given,
    existing: Row | undefined,
    { key = '', allowSave = false, undo = [] as [Row | undefined, Row][] } = {},
  ): Outcome {
    const next: Row = { ...(existing ?? { Id: object.prefix + randomId() }) };
    const errors: ApiError[] = [];
    for (const [name, value] of Object.entries(record)) {
      if (name === 'attributes') continue;
      const problem = this.#assign(object, next, name, value, existing !== undefined);
      if (problem) errors.push(problem);
    }
    // a parent that was named and not found is not also missing
    if (errors.length === 0) errors.push(...this.#incomplete(object, next));
    const lock = this.#locks.get(key.toLowerCase());
    if (errors.length === 0 && lock && lock.times > 0) {
      lock.times -= 1;
      errors.push(lockError(next.Id, lock.inTrigger));
    }
    if (errors.length === 0) errors.push(...this.#clashes(object, next, existing, allowSave));
    if (errors.length > 0) return { success: false, errors, created: false };
    this.#replace(object, existing, next);
    undo.push([existing, next]);
    return { id: next.Id, success: true, errors: [], created: existing === undefined };
  }

  #incomplete(object: SObject, next: Row): ApiError[] {
    const missing = object.fields.filter((field) => field.required && (next[field.name] ?? '') === '');
    const names = missing.map((field) => field.name);
    if (names.length)
      return [error('REQUIRED_FIELD_MISSING', `Required fields are missing: [${names.join(', ')}]`, names)];
    const blank = preferred[String(next['hed__Preferred_Email__c'])];
    if (blank && !next[blank])
      return [error('FIELD_CUSTOM_VALIDATION_EXCEPTION', `The Preferred Email selected, ${blank}, is blank`)];
    return [];
  }

  #clashes(object: SObject, next: Row, existing: Row | undefined, allowSave: boolean): ApiError[] {
    for (const field of object.fields.filter(isUnique)) {
      const value = next[field.name];
      const other = typeof value === 'string' ? this.find(object, field, value).find((row) => row !== existing) : null;
      if (other)
        return [
          error(
            'DUPLICATE_VALUE',
            `duplicate value found: ${field.name} duplicates value on record with id: ${other.Id}`,
            [],
          ),
        ];
    }
    const twin = (row: Row): boolean => row['Email'] === next['Email'];
    if (this.duplicateRule && !allowSave && object.name === 'Contact' && !existing && next['Email'])
      if (this.rows('Contact').some(twin))
        return [{ ...error('DUPLICATES_DETECTED', 'Use one of these records?'), duplicateResut: { allowSave: true } }];
    return [];
  }

  #assign(object: SObject, row: Row, name: string, value: unknown, update: boolean): ApiError | null {
    if (name.toLowerCase() === 'id')
      return error('INVALID_FIELD', 'The Id field should not be specified in the sobject data.', ['Id']);
    const relation = relationNamed(object, name);
    const field = relation ?? fieldNamed(object, name);
    if (!field) return error('INVALID_FIELD', `No such column '${name}' on sobject of type ${object.name}`);
    if (field.readOnly || (field.master && update))
      return error(
        'INVALID_FIELD_FOR_INSERT_UPDATE',
        `Unable to create/update fields: ${field.name}. Please check the security settings of this field and verify ` +
          'that it is read/write for your profile or permission set.',
        [field.name],
      );
    if (relation) return this.#assignParent(row, relation, value);
    const problem = value === null || value === '' ? null : this.#valueProblem(field, value);
    if (!problem) row[field.name] = value === '' ? null : value;
    return problem;
  }

  #valueProblem(field: Field, value: unknown): ApiError | null {
    const text = String(value);
    const at = [field.name];
    if (field.type === 'reference') {
      if (!/^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/.test(text))
        return error('MALFORMED_ID', `${field.name}: id value of incorrect type: ${text}`, at);
      if (!this.byId(field.referenceTo!, text))
        return error('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', at);
    }
    if ((field.type === 'string' || field.type === 'email') && text.length > field.length)
      return error('STRING_TOO_LONG', `${field.name}: data value too large: ${text} (max length=${field.length})`, at);
    if (field.type === 'email' && !/^[^\s@]+@[^\s@]+\.[^\s@.]+$/.test(text))
      return error('INVALID_EMAIL_ADDRESS', `${field.name}: invalid email address: ${text}`, at);
    if (field.restricted && !field.values!.includes(text))
      return error(
        'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
        `${field.name}: bad value for restricted picklist field: ${text}`,
        at,
      );
    if (field.type === 'date' && !/^\d{4}-\d\d-\d\d$/.test(text))
      return error('INVALID_TYPE_ON_FIELD_IN_RECORD', `${field.name}: value not of required type: ${text}`, at);
    return null;
  }

  #assignParent(row: Row, relation: Field, value: unknown): ApiError | null {
    const parent = objectNamed(relation.referenceTo!)!;
    const named = Object.entries((value ?? {}) as object).filter(([part]) => part !== 'attributes');
    if (named.length !== 1)
      return error(
        'INVALID_FIELD',
        `More than 1 field provided in an external foreign key reference in entity: ${parent.name}`,
      );
    const [name, key] = named[0] as [string, unknown];
    const field = fieldNamed(parent, name);
    if (!field?.externalId) return error('INVALID_FIELD', `No such column '${name}' on sobject of type ${parent.name}`);
    const found = this.find(parent, field, String(key));
    if (found.length !== 1)
      return error(
        'INVALID_FIELD',
        `Foreign key external ID: ${String(key).toLowerCase()} not found for field ${field.name} in entity ${parent.name}`,
      );
    row[relation.name] = found[0]!.Id;
    return null;
  }

  /** Puts one record in place of another, in the table and in every index. */
  #replace(object: SObject, before: Row | undefined, after: Row | undefined): void {
    const table = this.#rows.get(object.name)!;
    for (const [row, comes] of [
      [before, false],
      [after, true],
    ] as const) {
      if (!row) continue;
      if (comes) table.set(row.Id, row);
      else table.delete(row.Id);
      for (const field of object.fields.filter(({ externalId }) => externalId)) {
        const value = row[field.name];
        if (typeof value !== 'string') continue;
        const name = `${object.name}.${field.name}`;
        if (!this.#index.has(name)) this.#index.set(name, new Map());
        const values = this.#index.get(name)!;
        const rows = values.get(value.toLowerCase()) ?? new Set();
        if (comes) values.set(value.toLowerCase(), rows.add(row));
        else rows.delete(row);
      }
    }
  }
}

function error(statusCode: string, message: string, fields: string[] = []): ApiError {
  return { statusCode, message, fields };
}

/** A locked row; as EDA's triggers pass it on, it is in the words of another error. */
function lockError(id: string, inTrigger: boolean): ApiError {
  const words = `unable to obtain exclusive access to this record or 1 records: ${id}`;
  if (!inTrigger) return error('UNABLE_TO_LOCK_ROW', words);
  return error(
    'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY',
    'hed.TDTM_Contact: execution of AfterUpdate\n\ncaused by: System.DmlException: Update failed. First exception on ' +
      `row 0 with id ${id}; first error: UNABLE_TO_LOCK_ROW, ${words}: []\n\n(hed)`,
  );
}

function failure(statusCode: string, message: string, fields: string[]): Outcome {
  return { success: false, errors: [error(statusCode, message, fields)], created: false };
}

function keyOf(record: Given, field: Field): string | undefined {
  const value = Object.entries(record).find(([name]) => name.toLowerCase() === field.name.toLowerCase())?.[1];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** JSON types are checked for the whole request before anything is written. */
function checkTypes(object: SObject, record: Given): void {
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
