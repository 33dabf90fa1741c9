/** A header that is not right, and who takes it all the same. */

/** `cryptsetup`: cryptsetup 2.6.1 does, for it looks at the matter only when it uses it or never; we refuse. There is nothing that we take and it does not. */
export type Verdict = 'both' | 'nobody' | 'cryptsetup';

export interface EvilCase {
  readonly name: string;
  readonly takenBy: Verdict;
  /** What is wrong with it, done to a good image. */
  readonly change: (image: Uint8Array) => void;
}
