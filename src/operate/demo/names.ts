import type { Random } from './random.ts';

/** A name as student records have it: in any script, with marks, apostrophes and particles, or with one part only. */
export interface InventedName {
  firstName: string;
  lastName: string;
  /** In ASCII letters, for an e-mail address. */
  latin: { first: string; last: string };
}

/** Names of one language. A name that ASCII cannot show by leaving marks out is written `name|in ASCII`. */
interface Names {
  /** Of a hundred people, about so many. */
  share: number;
  first: string;
  last: string;
}

const languages: readonly Names[] = [
  {
    share: 46,
    first:
      'Alice Amelia Arthur Beatrice Caleb Charlotte Daniel Edith Emily Ethan Fiona George Grace Hannah Harriet Henry Isla Jack James Jasmine Joseph Laura Leo Lewis Lucy Martha Matthew Megan Nathan Oliver Oscar Phoebe Rachel Rosie Samuel Sophie Thomas Toby Violet William Mary-Jane Jean-Luc Anna.Maria',
    last: "Abbott Ashworth Barker Bennett Booth Bradshaw Carter Clayton Cooper Dalton Dixon Ellis Fairbank Fletcher Gibson Hargreaves Hartley Holden Ingham Jackson Kershaw Langley Lister Marsden Mercer Naylor Osborne Parker Pickering Ramsden Sharp Slater Tanner Thornton Underwood Walker Whittaker Yates O'Neill O'Brien D'Arcy O’Connor Smith-Jones van.der.Berg St.John MacLeod",
  },
  {
    share: 6,
    first: 'José María Núria João Inês François Zoë Chloé Renée Andrés Joaquín',
    last: "García Muñoz Ibáñez Gonçalves Conceição Lefèvre d'Ormesson Peña Châtelain",
  },
  {
    share: 5,
    first: 'Jürgen Käthe Søren|soren Åsa Björn Jörg Maja Þóra|thora',
    last: 'Müller Groß|gross Köhler Ødegård|odegard Sjöström Sæther|saether Schäfer',
  },
  {
    share: 5,
    first: 'Łukasz|lukasz Małgorzata|malgorzata Jiří Zoltán Ștefan Živa',
    last: 'Wójcik Kołodziej|kolodziej Dvořák Kovács Țîrlea Đorđević|dordevic Košir',
  },
  {
    share: 4,
    first: 'Şebnem İpek|ipek Çağla Gülşen Işıl|isil Doğan',
    last: 'Yılmaz|yilmaz Öztürk Çelik Şahin Kılıç|kilic',
  },
  { share: 5, first: 'Linh Đức|duc Hương Quân Thảo Minh', last: 'Nguyễn Trần Phạm Đặng|dang Huỳnh Vũ' },
  {
    share: 5,
    first: 'Ελένη|eleni Γιώργος|giorgos Κατερίνα|katerina Νίκος|nikos Σοφία|sofia Δημήτρης|dimitris',
    last: 'Παπαδοπούλου|papadopoulou Οικονόμου|oikonomou Αθανασίου|athanasiou Μακρής|makris Καραγιάννη|karagianni',
  },
  {
    share: 6,
    first: 'Анна|anna Дмитрий|dmitriy Олена|olena Сергей|sergey Ольга|olga Юрій|yuriy Наталья|natalya Богдан|bohdan',
    last: 'Иваненко|ivanenko Соколова|sokolova Шевчук|shevchuk Кузнецов|kuznetsov Мельник|melnyk Лебедева|lebedeva',
  },
  {
    share: 6,
    first: 'محمد|mohammed فاطمة|fatima أحمد|ahmad ليلى|layla يوسف|yousef مريم|maryam',
    last: 'الحسن|alhasan العلي|alali حداد|haddad منصور|mansour السيد|alsayed خليل|khalil',
  },
  {
    share: 6,
    first: '伟|wei 芳|fang 秀英|xiuying 娜|na 子涵|zihan 浩然|haoran 雨桐|yutong',
    last: '王|wang 李|li 张|zhang 刘|liu 陈|chen 杨|yang 欧阳|ouyang',
  },
  {
    share: 5,
    first: 'अनिल|anil प्रिया|priya राहुल|rahul सुनीता|sunita विक्रम|vikram आरती|aarti',
    last: 'शर्मा|sharma वर्मा|varma गुप्ता|gupta पटेल|patel सिंह|singh मिश्रा|mishra',
  },
  // One name only: it stands in the last name, and the first name is blank.
  { share: 1, first: '', last: 'Wibowo Hartanto Sukarmi Daulat Suparti Ngadiman' },
];

interface Word {
  text: string;
  latin: string;
}

const words = (list: string): Word[] =>
  list
    .split(' ')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const [text, latin] = entry.split('|');
      const shown = text!.replaceAll('.', ' ');
      return { text: shown, latin: latin ?? inAscii(shown) };
    });

const inAscii = (text: string): string =>
  text
    .normalize('NFD')
    .toLowerCase()
    .replace(/[^a-z-]/g, '');

const pools = languages.map(({ share, first, last }) => ({ share, first: words(first), last: words(last) }));

/** Makes up a name. */
export function inventName(random: Random): InventedName {
  const pool = random.weighted(pools, ({ share }) => share);
  const first = pool.first.length ? random.pick(pool.first) : { text: '', latin: '' };
  const last = random.pick(pool.last);
  return { firstName: first.text, lastName: last.text, latin: { first: first.latin, last: last.latin } };
}

/** Another last name for somebody, as after a marriage; in the same alphabet or another one, as life has it. */
export function inventLastName(random: Random, not: string): string {
  for (;;) {
    const { lastName } = inventName(random);
    if (lastName !== not) return lastName;
  }
}
