import { describe, expect, test } from 'vitest';
import { judge } from '../../../../connectors/peoplesoft/answer.ts';
import { settings } from '../../../../connectors/peoplesoft/schema.ts';

const rule = (success: object = {}) =>
  settings.parse({ url: 'https://campus.example.edu', auth: { bearer: { env: 'NOT_READ' } }, success }).success;
const answer = (status: number, text = '', headers: Record<string, string> = {}) => ({ status, text, headers });

/** The error that a gateway was seen to send with status 200 (Integration Broker book, handlers/onerror). */
const ibResponse = `<?xml version="1.0"?>
<IBResponse type="error">
  <DefaultTitle>Integration Broker Response</DefaultTitle>
  <StatusCode>20</StatusCode>
  <MessageSet>158</MessageSet>
  <MessageID>10001</MessageID>
  <DefaultMessage>you had an error mate! (-1,-1) CHG_IB_UTEST.syncUTest.OnExecute &lt;960&gt;</DefaultMessage>
  <MessageParameters></MessageParameters>
</IBResponse>`;

/** The documented answer of a component interface (PeopleTools, Receiving Responses). */
const errorWarning = `<SOAP-ENV:Envelope><SOAP-ENV:Body><USER_PROFILE>
 <Error-Warning><Message><Type>Error</Type><MessageSetNumber>91</MessageSetNumber><MessageNumber>49</MessageNumber>
  <MessageText>Row already exists with the specified keys. {USER_PROFILE} (91,49)</MessageText></Message></Error-Warning>
</USER_PROFILE></SOAP-ENV:Body></SOAP-ENV:Envelope>`;

/** The gateway's words for an operation that it does not have. */
const operationMissing = `<?xml version="1.0"?><IBResponse type="error"><StatusCode>20</StatusCode><MessageSet>158</MessageSet>
<MessageID>10721</MessageID><DefaultMessage>Integration Gateway: operation not found</DefaultMessage></IBResponse>`;

const fault = (code: string) =>
  `<soap:Envelope><soap:Body><soap:Fault><faultcode>soap:${code}</faultcode><faultstring>no such row</faultstring></soap:Fault></soap:Body></soap:Envelope>`;

describe('an answer with status 200', () => {
  test.each([
    ['nothing', ''],
    ['a JSON answer', '{"RSTR_PERSON":{"notification":"1","errors":[]}}'],
    ['an error key that holds nothing', '{"error":null,"fault":"","errors":{},"result":{"error":false}}'],
    ['an XML answer', '<?xml version="1.0"?><RESULT><notification>1</notification></RESULT>'],
    ['an error of the code 0', '{"result":"A","error":{"code":0,"message":"OK"}}'],
    ['an XML error that is empty', '<RESULT><error/><errors><error><code>000</code></error></errors></RESULT>'],
  ])('and %s is success', (_what, text) => {
    expect(judge(answer(200, text, { transactionid: '0b74' }), rule())).toEqual({
      meaning: 'done',
      words: 'HTTP 200 (transaction 0b74)',
    });
  });

  test.each([
    ['IBResponse', ibResponse, 'you had an error mate! (-1,-1) CHG_IB_UTEST.syncUTest.OnExecute <960> (158,10001)'],
    ['Error-Warning', errorWarning, 'Row already exists with the specified keys. {USER_PROFILE} (91,49)'],
    ['SOAP Fault', fault('Server'), 'no such row'],
    [
      'SOAP-to-CI notification',
      '<r><notification>0</notification><detail><transaction><type>Error</type><messagetext>bad key</messagetext></transaction></detail></r>',
      'bad key',
    ],
    ['JSON errors, deep', '{"a":{"b":[{"errors":[{"MessageText":"bad"},{"MessageText":"worse"}]}]}}', 'bad; worse'],
    ['JSON message of type error', '{"messages":[{"Type":"Error","text":"bad"}]}', 'bad'],
    ['JSON notification 0', '{"R":{"notification":0,"detail":"bad"}}', 'bad'],
  ])('and a %s is a refusal in its own words', (_what, text, words) => {
    expect(judge(answer(200, text), rule())).toMatchObject({ meaning: 'refused', words: `HTTP 200: ${words}` });
  });

  test.each([
    ['a page', '<!DOCTYPE html><html><head><style>p{}</style></head><body><h1>Sign in</h1></body></html>', {}],
    ['a page of scripts', '<html><script>a="<style>"</script>Sign <STYLE>p{}</style>\n<!-- -->in</html>', {}],
    ['a piece of a page', '<div>Sign in</div>', { 'content-type': 'text/html; charset=utf-8' }],
    ['a bare text', 'Sign in', {}],
  ])('and %s is a login that is missing', (_what, text, headers) => {
    expect(judge(answer(200, text, headers), rule())).toEqual({
      meaning: 'denied',
      login: false,
      words: 'HTTP 200: a page, not an answer: Sign in',
    });
  });
});

test('a page that begins a great deal and ends nothing is read once', () => {
  const page = `<html>Sign in ${'<script '.repeat(100_000)}${'<style>'.repeat(100_000)}${'<'.repeat(400_000)}`;
  expect(judge(answer(200, page), rule())).toMatchObject({
    meaning: 'denied',
    words: expect.stringMatching(/Sign in/),
  });
});

test.each([
  [
    'of a handler about one person',
    '{"R":{"notification":"0","errors":[{"MessageText":"No rows exist. (91,50)"}]}}',
    'refused',
  ],
  ['of the gateway', ibResponse, 'missing'],
  ['of a server in between', '{"status":404,"error":"Not Found","path":"/PSIGW"}', 'missing'],
  ['without a word', '', 'missing'],
])('a 404 %s', (_what, text, meaning) => {
  expect(judge(answer(404, text), rule()).meaning).toBe(meaning);
});

describe('a warning beside success', () => {
  const warned = `<e:Envelope xmlns:e="x"><e:Body><P><Error-Warning><Message><Type>Warning</Type><MessageText>Check &#38; see. (1000,7)</MessageText></Message></Error-Warning></P></e:Body></e:Envelope>`;
  test.each([
    ['JSON', '{"messages":[{"type":"Warning","text":"check the address"}]}', 'check the address'],
    ['JSON, among the errors', '{"R":{"errors":[{"Type":"Warning","MessageText":"check"}]}}', 'check'],
    ['XML', warned, 'Check & see. (1000,7)'],
    [
      'SOAP-to-CI',
      '<r><notification>1</notification><detail><transaction><type>Warning</type><messagetext>late</messagetext></transaction></detail></r>',
      'late',
    ],
  ])('in %s is told, and is no error', (_what, text, words) => {
    expect(judge(answer(200, text, { transactionid: '0b74' }), rule())).toEqual({
      meaning: 'done',
      words: `HTTP 200: warning: ${words} (transaction 0b74)`,
    });
  });

  test('does not hide an error', () => {
    const both = '{"errors":[{"Type":"Warning","MessageText":"w"},{"Type":"Error","MessageText":"bad"}]}';
    expect(judge(answer(200, both), rule())).toMatchObject({ meaning: 'refused' });
  });
});

describe('an answer that nobody can read is neither success nor a login page', () => {
  test.each([
    ['half of a JSON answer', '{"RSTR_PERSON":{"notif'],
    ['half of an XML answer', '<?xml version="1.0"?><RESULT><notification>1</notif'],
    ['a DTD', '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>'],
  ])('%s', (_what, text) => {
    expect(judge(answer(200, text), rule())).toMatchObject({ meaning: 'later', own: true });
  });

  test.each(['', '{"ok":true}'])('where XML is due: %j', (text) => {
    expect(judge(answer(200, text), rule(), { xml: true })).toMatchObject({ meaning: 'later', own: true });
    expect(judge(answer(200, text), rule()).meaning).toBe('done');
  });
});

describe('what handlers of a site answer with status 200', () => {
  test.each([
    ['{"status":"error","message":"EMPLID 1 not found"}', 'EMPLID 1 not found'],
    ['{"success":false,"message":"no such row"}', 'no such row'],
    ['{"RESULT":{"STATUS":"FAILED","MESSAGE_TEXT":"no rows exist (91,50)"}}', 'no rows exist (91,50)'],
    ['{"messages":[{"severity":"Error","text":"term is closed"}]}', 'term is closed'],
    ['{"error":{"code":0,"message":"no such row"}}', 'no such row'],
    ['<RESULT><status>ERROR</status><message>no such row</message></RESULT>', 'no such row'],
    ['<?xml version="1.0"?><PERSON><success>false</success><detail>no such row</detail></PERSON>', 'no such row'],
    ['<RESULT><data><error><code>7</code><message>no such row</message></error></data></RESULT>', 'no such row'],
    ['<RESULT><messages><severity>Error</severity><text>no such row</text></messages></RESULT>', 'no such row'],
  ])('%s is refused, in its words', (text, words) => {
    expect(judge(answer(200, text), rule())).toMatchObject({ meaning: 'refused', words: `HTTP 200: ${words}` });
  });

  test('is kept in part, and known whole', () => {
    const text = `{"errors":[{"MessageText":"${'The row cannot be added. '.repeat(20)}It is so already."}]}`;
    const verdict = judge(answer(200, text), rule()) as { words: string; whole: string };
    expect(verdict.words.length).toBeLessThan(320);
    expect(verdict.whole).toContain('It is so already.');
  });

  test.each([
    '{"status":"success"}',
    '{"success":true,"status":"A"}',
    '{"PERSON":{"EMPLID":"1","ENROLLMENTS":[{"COURSE":"X","STATUS":"FAILED"}]}}',
    '{"messages":[{"severity":"Warning","text":"late"}]}',
    '<RESULT><status>SUCCESS</status><message>saved</message></RESULT>',
    '<P><EMPLID>1</EMPLID><ENROLLMENTS><ROW><COURSE>X</COURSE><STATUS>FAILED</STATUS></ROW></ENROLLMENTS></P>',
    '<RESULT><errors><message><type>Warning</type><text>late</text></message></errors></RESULT>',
  ])('%s is success: deeper down a status is that of a course', (text) => {
    expect(judge(answer(200, text), rule()).meaning).toBe('done');
  });
});

test('an error of WS-Security, and words that the site calls so, are about the login', () => {
  const unsafe = fault('Client').replace('soap:Client', 'wsse:FailedAuthentication');
  expect(judge(answer(500, unsafe), rule()).meaning).toBe('denied');
  expect(judge(answer(200, ibResponse), rule({ denied: 'you had an error' })).meaning).toBe('denied');
});

describe('a page that refuses the login', () => {
  const far = `<html><body>${'Welcome to the campus. '.repeat(40)}<p>Your User ID and/or Password are invalid.</p></body></html>`;
  const html = { 'content-type': 'text/html; charset=UTF-8' };
  test.each([
    ['of an iScript', 200, '<div>Your User ID and/or Password are invalid.</div>', html],
    ['as a text', 200, 'Your User ID and/or Password are invalid.', {}],
    ['far down', 200, far, html],
    ['of an older release', 200, '<html>Invalid User ID, or you typed the wrong password</html>', {}],
    ['outside its hours', 200, '<html>Invalid signon time for user ROSTERD</html>', {}],
    ['in another language', 200, '<html>Anmeldung</html>', { respondingwithsignonpage: 'true' }],
    ['with another status', 404, '<html>Your User ID and/or Password are invalid.</html>', html],
    ['as a server error', 500, '<html>Your User ID and/or Password are invalid.</html>', html],
    ['by a redirect', 302, '', { location: '/psp/ps/?cmd=login&languageCd=ENG&errorCode=105' }],
  ])('%s', (_what, status, text, headers) => {
    for (const own of [rule(), rule({ text: 'User', status: [200, 404] })])
      expect(judge(answer(status, text, headers), own, { removes: true })).toMatchObject({
        meaning: 'denied',
        login: true,
      });
  });

  test('in words of the site', () => {
    const page = answer(200, '<html>Benutzer oder Kennwort ist falsch</html>');
    expect(judge(page, rule())).toMatchObject({ meaning: 'denied', login: false });
    expect(judge(page, rule({ denied: 'Kennwort ist falsch' }))).toMatchObject({ meaning: 'denied', login: true });
  });

  test('is not an answer about a person, whatever it says', () => {
    const words = 'Ada is not authorized for this time period (14640,7)';
    expect(judge(answer(200, `{"NAME":"${words}"}`), rule()).meaning).toBe('done');
    expect(judge(answer(400, `{"errors":[{"MessageText":"${words}"}]}`), rule()).meaning).toBe('refused');
  });
});

test('a gateway that says nothing of an error has none', () => {
  const fine = ibResponse.replace(' type="error"', '').replace('>20<', '>0<');
  expect(judge(answer(200, fine), rule()).meaning).toBe('done');
  expect(judge(answer(200, ibResponse.replace(' type="error"', '')), rule()).meaning).toBe('refused');
});

describe('other answers', () => {
  test.each([
    [202, '', 'done'],
    [206, '', 'refused'],
    [302, '', 'denied'],
    [400, '{"errors":[{"MessageText":"bad"}]}', 'refused'],
    [401, fault('Client'), 'denied'],
    [403, '', 'denied'],
    [404, '', 'missing'],
    [409, '', 'refused'],
    [429, '', 'later'],
    [500, '', 'later'],
    [500, ibResponse, 'later'],
    [500, fault('Server'), 'later'],
    [500, fault('Client'), 'refused'],
    [503, '<html>Down</html>', 'later'],
  ])('%i %s: %s', (status, text, meaning) => {
    expect(judge(answer(status, text), rule()).meaning).toBe(meaning);
  });
});

describe("a site's own rule", () => {
  test('can count other statuses as success, and fewer', () => {
    expect(judge(answer(409, '{"state":"there already"}'), rule({ status: [200, 409] })).meaning).toBe('done');
    expect(judge(answer(202), rule({ status: [200, 409] })).meaning).toBe('refused');
  });

  test.each([
    [409, '{"errors":["there already"]}', 'refused'],
    [409, '<html><h1>Conflict</h1></html>', 'refused'],
    [404, operationMissing, 'missing'],
    [404, '<html><h1>404 Not Found</h1></html>', 'missing'],
    [404, 'Not Found', 'missing'],
    [404, '{"status":404,"error":"Not Found","path":"/PSIGW"}', 'missing'],
    [404, '{"message":"Integration Broker: operation not found (158,10721)"}', 'missing'],
    [404, '{"message":"Service Operation X_PERSON.v1 could not be found."}', 'missing'],
    [404, '{"errors":[{"MessageText":"No rows exist. (91,50)"}]}', 'refused'],
  ])('never counts an answer as success that names an error, or is a page: %i %s', (status, text, meaning) => {
    const said = answer(status, text);
    for (const removes of [true, false])
      expect(judge(said, rule({ status: [200, 404, 409] }), { removes }).meaning).toBe(meaning);
  });

  test.each([404, 410])('counts a %i as success only of a removal: what is gone cannot be written', (status) => {
    const gone = rule({ status: [200, status] });
    for (const text of ['', '{"person":null}', '{"service":"X_PERSON","message":"person not found"}']) {
      expect(judge(answer(status, text), gone, { removes: true }).meaning).toBe('done');
      expect(judge(answer(status, text), gone).meaning).toBe(status === 404 ? 'missing' : 'refused');
      expect(judge(answer(status, text), rule(), { removes: true }).meaning).not.toBe('done');
    }
  });

  test('can name other keys of errors', () => {
    const body = '{"RETURN":{"Exc_Details":["bad"]}}';
    expect(judge(answer(200, body), rule()).meaning).toBe('done');
    expect(judge(answer(200, body), rule({ errorKeys: ['EXC_DETAILS'] })).meaning).toBe('refused');
  });

  test('can take a plain text for success', () => {
    expect(judge(answer(200, 'OK 17'), rule({ text: '^OK' })).meaning).toBe('done');
    expect(judge(answer(200, 'Sign in'), rule({ text: '^OK' })).meaning).toBe('denied');
  });
});
