import { expect, test } from 'vitest';
import { excerpt } from '../../../../connectors/salesforce/answer.ts';

test('a page is told without its markup, and one that ends nothing is read once', () => {
  expect(excerpt('<html><b>down for</b> maintenance</html>')).toMatch(/^\s*down for\s+maintenance\s*$/);
  expect(excerpt(`sorry ${'<'.repeat(500_000)}`)).toMatch(/^sorry <</);
});
