/**
 * What dm-crypt's first argument says: `cipher[:keycount]-chainmode-ivmode[:ivopts]` or `capi:cipher_api_spec-ivmode[:ivopts]`.
 * Source: Documentation/admin-guide/device-mapper/dm-crypt.rst
 */

export type ChainMode = 'xts' | 'cbc' | 'ecb' | 'ctr';

export interface CipherSpec {
  /** As given; what the table prints. */
  readonly text: string;
  /** `aes`, `serpent`, `des3_ede` ... as the kernel names them. */
  readonly cipher: string;
  readonly mode: ChainMode;
  /** A power of two up to 64; 1: one key. */
  readonly keyCount: number;
  /** `plain64`, `essiv` ...; null for ecb without one. */
  readonly ivMode: string | null;
  /** essiv's hash, benbi's nothing ...; null when absent. */
  readonly ivOptions: string | null;
}
