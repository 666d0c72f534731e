import { hash } from 'node:crypto';

/**
 * Which names have come before, and as which record: 12 bytes for each instead of the name itself. Two names that share
 * 64 bits of SHA-1 would be taken for one; that makes a pull incomplete, and never a record less.
 */
export class Seen {
  #names = new BigUint64Array(1024);
  #numbers = new Uint32Array(1024);
  #size = 0;

  /** Notes a name; gives the number it came with before, or null when it is new. */
  note(name: string, number: number): number | null {
    const digest = hash('sha1', name, 'buffer').readBigUInt64LE() || 1n;
    if (this.#size * 2 >= this.#names.length) this.#grow();
    const at = this.#find(digest);
    if (this.#names[at] === digest) return this.#numbers[at]!;
    this.#names[at] = digest;
    this.#numbers[at] = number;
    this.#size += 1;
    return null;
  }

  #find(digest: bigint): number {
    const mask = this.#names.length - 1;
    let at = Number(digest & 0xffffffffn) & mask;
    while (this.#names[at] !== 0n && this.#names[at] !== digest) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const [names, numbers] = [this.#names, this.#numbers];
    this.#names = new BigUint64Array(names.length * 2);
    this.#numbers = new Uint32Array(names.length * 2);
    for (const [from, digest] of names.entries()) {
      if (digest === 0n) continue;
      const at = this.#find(digest);
      this.#names[at] = digest;
      this.#numbers[at] = numbers[from]!;
    }
  }
}
