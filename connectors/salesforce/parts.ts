/** What is written where, as the code uses it: presets say it, settings may say otherwise. */

/** An object and the field by which its records are matched. */
export interface Part {
  object: string;
  externalId: string;
}

/** Their field for each of ours; nothing: not sent. */
type FieldMap<Name extends string> = { [K in Name]?: string | null | undefined } & { status: string };

type NamedPart = Part & { name: string };

/** How courses are written: the chain that leads to an offering. */
export interface CourseParts {
  account: NamedPart;
  term: NamedPart & { start: string | null; end: string | null; accountRelation: string };
  course: NamedPart & { accountRelation: string };
  offering: NamedPart & { courseRelation: string; termRelation: string };
}

/** Everything that a preset says. */
export interface Parts {
  contact: Part & {
    fields: FieldMap<'id' | 'email' | 'firstName' | 'lastName' | 'kind' | 'year'>;
    values: { active: string; disabled: string };
    preferredEmail: { field: string; value: string } | null;
  };
  enrolment: Part & {
    contactRelation: string;
    offeringRelation: string | null;
    fields: FieldMap<'faculty' | 'department' | 'course'>;
    values: { current: string; former: string };
  };
  /** Null: courses are not written. */
  courses: CourseParts | null;
}
