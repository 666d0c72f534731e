/** The house vocabulary that a `map:` speaks: the left-hand sides, and which of them no map can leave out. */
export const canonicalFields = [
  'faculty',
  'department',
  'course',
  'firstName',
  'lastName',
  'email',
  'id',
  'number',
  'year',
  'kind',
  'alias',
  'provision',
] as const;

export type CanonicalField = (typeof canonicalFields)[number];

/** The three names of a course: a map has all of them, or none when its rows are people without courses. */
export const courseFields = ['faculty', 'department', 'course'] as const;

/** Fields that every map of an authoritative source names; a constant will do. */
export const requiredFields = ['firstName', 'lastName', 'email'] as const;

/** How an attribute is called in a compiled `FieldMap`: `attributes.phone`. */
export const attributePrefix = 'attributes.';
