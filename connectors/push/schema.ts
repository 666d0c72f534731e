import { z } from 'zod';
import { isPassword, neverStored } from '../../src/connector/passwords.ts';
import { duration, size } from '../../src/connector/settings.ts';

const key = z
  .strictObject({
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'the 64 hex digits that rosterd push-key prints; never the key itself'),
  })
  .describe('the hash of a key, as rosterd push-key prints it');

const column = z.string().min(1);

/** Settings of a push source. */
export const settings = z
  .strictObject({
    key: z
      .union([key.transform((one) => [one]), z.array(key).min(1)])
      .describe('the key that senders show, as its hash; a list while one is being replaced by another'),
    answer: z
      .enum(['snapshot', 'delta'])
      .default('snapshot')
      .describe('what a body is that does not say: everybody, or only those who changed'),
    idField: column
      .default('id')
      .describe('the column that tells whose record it is; a delta is merged by it into the last whole list'),
    deletedField: column.default('deleted').describe('the column that takes a person out, in a delta'),
    drop: z
      .array(column)
      .default([])
      .describe('columns that are thrown away unread as passwords always are, whatever their letter case'),
    maxBody: size.prefault('100MB').describe('a larger body is refused'),
    maxRecords: z.number().int().positive().default(5_000_000).describe('more records in one body are refused'),
    maxRecordBytes: size
      .prefault('64KB')
      .refine((bytes) => bytes >= 64 && bytes <= 16 * 1024 ** 2, 'is between 64B and 16MB')
      .describe('a longer record is quarantined'),
    maxWaiting: z.number().int().positive().default(1000).describe('so many pushes may wait for their runs'),
    rate: z
      .strictObject({
        pushes: z.number().int().positive().default(60),
        per: duration.prefault('1m'),
      })
      .prefault({})
      .describe('how many pushes may come in what time'),
    delimiter: z
      .enum([',', ';', '\t', '|', '\\t'])
      // as in csv-drop: YAML reads '\t' as two characters
      .transform((mark) => (mark === '\\t' ? '\t' : mark))
      .default(',')
      .describe('what stands between the cells of an upload'),
    finalNewline: z
      .enum(['required', 'optional'])
      .default('required')
      .describe('required: an upload whose last line has no line end was cut'),
  })
  .superRefine(({ drop, idField, deletedField }, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (idField === deletedField) issue('deletedField', 'is another column than idField');
    for (const [path, name] of Object.entries({ idField, deletedField }))
      if (isPassword(name)) issue(path, neverStored);
    for (const name of [idField, deletedField])
      if (drop.some((one) => one.toLowerCase() === name.toLowerCase())) issue('drop', `has ${name}, which is needed`);
  });

export type PushSettings = z.output<typeof settings>;
