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
] as const;

export type CanonicalField = (typeof canonicalFields)[number];

/** Fields that every map names; a constant will do. */
export const requiredFields = ['faculty', 'department', 'course', 'firstName', 'lastName', 'email'] as const;

/** How an attribute is called in a compiled `FieldMap`: `attributes.phone`. */
export const attributePrefix = 'attributes.';
