import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { excerpt, hideSecret, scrub, scrubStranger, without } from '../../../src/base/redact.ts';

describe('secrets', () => {
  test('are found in every form in which a server echoes them', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 6, maxLength: 40, unit: 'grapheme' }).filter((text) => text.trim().length > 5),
        fc.string({ maxLength: 9 }),
        (secret, user) => {
          hideSecret(secret);
          const basic = Buffer.from(`${user}:${secret}`).toString('base64');
          for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret)])
            expect(scrub(`before ${form} after`)).not.toContain(form.replace(/^"|"$/g, ''));
          const left = scrub(`Authorization: ${basic} was refused`);
          // what may be left of it are the characters that it shares with what stands around it
          expect(left).toContain('[secret]');
          expect(left.length).toBeLessThan(`Authorization: ${basic} was refused`.length + '[secret][secret]'.length);
          expect(left).not.toContain(basic);
        },
      ),
    );
  });

  test('a short one hides itself, and not every word that it is a part of', () => {
    hideSecret('xq');
    expect(scrub('xq, oxqen, "xq"')).toBe('[secret], oxqen, "[secret]"');
  });

  test('each line of a private key is one', () => {
    hideSecret('-----BEGIN KEY-----\nAbCdEfGhIjKlMnOpQrStUvWx\n-----END KEY-----');
    expect(scrub('cannot read AbCdEfGhIjKlMnOpQrStUvWx')).toBe('cannot read [secret]');
  });

  test('so many that were rotated are not remembered for ever, the newest are', () => {
    for (let n = 0; n < 700; n += 1) hideSecret(`rotated-secret-${n}`);
    expect(scrub('rotated-secret-699')).toBe('[secret]');
  });

  test('logins in addresses and headers go, whoever they belong to', () => {
    expect(scrub('mongodb://ann:p%40ss@db1.example.edu:27017/x')).toBe('mongodb://db1.example.edu:27017/x');
    expect(scrub('sftp://rosterd@sftp.example.edu:22/drops')).toBe('sftp://sftp.example.edu:22/drops');
    expect(scrub('got Authorization: Bearer eyJhbGciOi.J9-_x')).toBe('got Authorization: Bearer [secret]');
    expect(scrub('a basic understanding of bearer tokens.')).toBe('a basic understanding of bearer tokens.');
  });
});

describe('e-mail addresses', () => {
  test('are found behind a word without end, and such a word comes back as it is', () => {
    const word = 'a'.repeat(1_000_000);
    expect(scrub(`${word} ann@example.edu`) === `${word} [e-mail]`).toBe(true);
    expect(scrub(`${word}@example.edu`)).toBe('[e-mail]');
    expect(scrub('%40a'.repeat(200_000)).length).toBe(800_000);
    expect(scrub('a@'.repeat(200_000)).length).toBe(400_000);
  });

  test('are found beside and inside of one another', () => {
    expect(scrub('a@b@c.de')).toBe('a@[e-mail]');
    expect(scrub('ann%40x.edu%26bob%40y.edu')).toBe('[e-mail]');
    expect(scrub('ann@x.edu|bob@y.edu&zoe@z.edu done')).toBe('[e-mail] done');
    fc.assert(
      fc.property(
        fc.string({ maxLength: 30, unit: fc.constantFrom('a', 'b', '@', '%40', '.', '|', '-', ' ') }),
        (text) => {
          expect(scrub(text)).not.toMatch(/[ab|%-](?:@|%40)[ab-]+\.[ab-]/);
        },
      ),
    );
  });

  test.each([
    'ann@example.edu',
    'Ann.O+x@cs.example.edu',
    'ann%40example.edu',
    "o'hara@example.edu",
    'zoë@exämple.edu',
    'ann@localhost.x',
  ])('%s is none of the log’s business', (address) => {
    expect(scrub(`mail <${address}>, "${address}" (${address}): no`)).not.toMatch(/ann|hara|zo|example|localhost/i);
  });

  test('what is none stays', () => {
    for (const text of ['a @ b', 'npm@11', 'user@host', '10 @ 3.5', '@scope/name']) expect(scrub(text)).toBe(text);
  });
});

describe('the beginning of a long text', () => {
  test('is all that is shown of an answer without end', () => {
    expect(excerpt('b'.repeat(5_000_000))).toBe(`${'b'.repeat(200)}…`);
    expect(excerpt(`no\n${'  '.repeat(1_000_000)}`)).toBe('no …');
  });

  test('has no part of a secret or an address, wherever it was cut', () => {
    const secret = 'Zq8-'.repeat(900);
    hideSecret(secret);
    // hidden ones in front make room for whatever stands at the cut
    for (let before = 0; before < 12_000; before += 97) {
      const text = `${`${secret} `.repeat(4)}${' '.repeat(before)}${secret} ann.of.some.place@example.edu ${'x'.repeat(20_000)}`;
      expect(excerpt(text)).not.toMatch(/Zq8|ann|example/);
    }
  });
});

test('of a stranger’s words goes what it quotes', () => {
  const said = (() => {
    try {
      return JSON.parse('{"name": "Ann O\'Hara", "id": S1');
    } catch (error) {
      return (error as Error).message;
    }
  })();
  expect(scrubStranger(said)).not.toMatch(/Ann|Hara|S1/);
  expect(scrubStranger('no “Ann” of ‘Hara’, sorry')).toBe('no “…”, sorry');
  expect(scrubStranger('“'.repeat(300_000)).length).toBe(300_000);
  expect(scrubStranger('the number 9500000001 is taken')).toBe('the number [number] is taken');
});

describe('values that are known', () => {
  test('go, however they are written; words that only begin like them stay', () => {
    const values = ['Ann', "O'Hara Smith", 'S-1', 'É', '+44 7700 900123'];
    const text = `ANN o'hara smith, O&#39;Hara Smith, O%27Hara Smith, O'Hara+Smith s-1 %2B44+7700+900123: Annual S-12`;
    expect(without(text, values)).toBe('[…] […], […], […], […] […] […]: Annual S-12');
  });

  test('half a value at the end of what was cut goes as well', () => {
    expect(without('no such user O&#39;Ha', ["O'Hara"])).toBe('no such user […]');
    expect(without('no such user Smit… (transaction 7)', ['Smithson'])).toBe('no such user […]… (transaction 7)');
    expect(without('no such user', ['Ann'])).toBe('no such user');
  });

  test('none of any values survives, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[A-Z][a-zé' -]{2,12}[a-z]$/), { minLength: 1 }),
        fc.nat(),
        (names, cut) => {
          const text = `400: user ${names.join(', ')} is not known`;
          const left = without(text.slice(0, Math.max(12, cut % text.length)), names);
          for (const name of names) expect(left).not.toContain(name);
        },
      ),
    );
  });
});
