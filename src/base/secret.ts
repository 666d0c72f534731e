import { readFileSync } from 'node:fs';
import { Misconfigured } from './errors.ts';
import { hideSecret } from './redact.ts';

/** Where a secret comes from: an environment variable or a file (systemd credentials are files). */
export type SecretOrigin = { env: string } | { file: string };

/**
 * A secret that has a name but shows no value: printing, serialising or inspecting it gives its origin. The value is
 * read at the moment of use, so that a rotated file needs no restart, and from then on no log shows it.
 */
export class Secret {
  readonly #origin: SecretOrigin;
  constructor(origin: SecretOrigin) {
    this.#origin = origin;
  }

  /** The value, without one trailing line end (files are usually written with one). Throws `Misconfigured`. */
  reveal(): string {
    const value = 'env' in this.#origin ? process.env[this.#origin.env] : readSecretFile(this.#origin.file);
    if (value === undefined || value === '')
      throw new Misconfigured(`the secret ${this.toString()} is ${value === '' ? 'empty' : 'not set'}`, {
        remedy: 'env' in this.#origin ? `set the environment variable ${this.#origin.env}` : undefined,
      });
    hideSecret(value);
    return value;
  }

  toString(): string {
    return 'env' in this.#origin ? `{ env: ${this.#origin.env} }` : `{ file: ${this.#origin.file} }`;
  }
  toJSON(): string {
    return this.toString();
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

function readSecretFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new Misconfigured(`the secret file ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
