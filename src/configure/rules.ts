import { createHash } from 'node:crypto';
import type { CourseName } from '../connector/target.ts';
import type { CourseRules } from '../reconcile/courses.ts';
import type { Config } from './config.ts';

/** The rules of the roster as reconciliation wants them. */
export function courseRules(config: Config): CourseRules {
  const { departments, courses, newCourses, emptyCourses } = config.roster;
  const passes = (value: string, { include, exclude }: typeof departments): boolean =>
    include.some((pattern) => pattern.test(value)) && !exclude.some((pattern) => pattern.test(value));
  return {
    matches: ({ department, course }: CourseName) => passes(department, departments) && passes(course, courses),
    newCourses,
    emptyCourses,
  };
}

/** The sources that only fill in. */
export function directoriesOf({ sources }: Config): ReadonlySet<string> {
  return new Set(sources.filter(({ role }) => role === 'directory').map(({ name }) => name));
}

/** Directories are marked, so that nothing changes for those who have none. */
function roleName({ name, role }: Config['sources'][number]): string {
  return role === 'directory' ? `${name}:directory` : name;
}

/** Another number when rosterd itself judges the same rows otherwise than before. */
const judgement = 5;

/** Changes when somebody's account could come out otherwise although no row changed: then everybody is looked at. */
export function rulesFingerprint(config: Config): string {
  const { departments, courses, newCourses, emptyCourses } = config.roster;
  const patterns = [departments, courses].map(({ include, exclude }) => [include.map(String), exclude.map(String)]);
  const text = JSON.stringify([judgement, patterns, newCourses, emptyCourses, config.sources.map(roleName)]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
