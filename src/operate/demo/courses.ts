import type { CourseName } from '../../connector/target.ts';

/** The courses of the sample university. Some names are what export scripts stumble over. */
const university: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'Arts and Humanities': {
    History: ['History', 'The "Long" Nineteenth Century', "Women's History", 'Public History and Heritage'],
    'Languages, Cultures and Linguistics': [
      'Νεοελληνικές Σπουδές (Modern Greek)',
      'Русская литература (Russian Literature)',
      'Linguistics',
      'Translation, Interpreting and\nSubtitling',
    ],
    'Film, Theatre and Music': ['Film and Screen Studies', 'Music: Composition', 'Théâtre et mise en scène'],
    Philosophy: ['Philosophy', 'Philosophy, Politics and Economics'],
  },
  'Business School': {
    'Accounting & Finance': ['Accounting & Finance', 'Banking, Finance and\nRisk Management'],
    Management: ['Management', 'Management with Marketing', 'MBA (part-time)'],
    Economics: ['Economics', 'Economics with Data Science'],
  },
  Engineering: {
    'Civil Engineering': ['Civil Engineering', 'Structures, Bridges and Tunnels'],
    'Electrical Engineering': ['Electrical and Electronic Engineering', 'Power Systems (50/60 Hz)'],
    'Mechanical Engineering': ['Mechanical Engineering', 'Robotics', 'Materials, Metals and Polymers'],
    Aeronautics: ['Aerospace Engineering', 'Space Systems'],
  },
  Health: {
    Medicine: ['Medicine', 'Biomedical Sciences'],
    'Nursing and Midwifery': ['Nursing (Adult)', 'Nursing (Children’s)', 'Midwifery'],
    Pharmacy: ['Pharmacy'],
    Psychology: ['Psychology', 'Clinical Psychology, Part I'],
  },
  'Law and Social Science': {
    Law: ['Law', 'Law with French Law (Droit français)', 'Criminology'],
    Politics: ['Politics', 'International Relations'],
    Sociology: ['Sociology', 'Social Work'],
    Education: ['Education', 'Teaching: Primary, with Placement'],
  },
  Science: {
    Biology: ['Biology', 'Ecology & Conservation', 'Genetics'],
    Chemistry: ['Chemistry', 'Medicinal Chemistry'],
    'Computer Science': [
      'Computer Science',
      'Artificial Intelligence',
      'C++ and Systems Programming',
      'Cyber Security',
    ],
    'Mathematics and Statistics': ['Mathematics', 'Statistics', 'Actuarial Science, Year in Industry'],
    'Physics and Astronomy': ['Physics', 'Astrophysics'],
  },
};

/** All courses of day 1, in the order in which an export lists them. */
export const courses: readonly CourseName[] = Object.entries(university).flatMap(([faculty, departments]) =>
  Object.entries(departments).flatMap(([department, names]) =>
    names.map((course) => ({ faculty, department, course })),
  ),
);

/** Starts on day 2, in a department that is known. */
export const newCourse: CourseName = {
  faculty: 'Engineering',
  department: 'Mechanical Engineering',
  course: 'Car Design, Electric\nand Hybrid',
};

/** Ends before day 2. */
export const closedCourse = courses.find(({ course }) => course === 'Medicinal Chemistry')!;
/** Where the people of `closedCourse` go on. */
export const successorCourse = courses.find(({ course }) => course === 'Chemistry')!;
