/** By its outer form; Azure's holds an SNP report or a TDX quote, an RA-TLS certificate a quote or report of any of the three. */
export type EvidenceFormat = 'sgx' | 'tdx' | 'snp' | 'nitro' | 'azure' | 'tpm' | 'ra-tls';

/** What each format's folder says of itself, in its `format.ts`. */
export interface Format {
  readonly name: EvidenceFormat;
  /** Whether attacker-controlled bytes seem to be of this format, by their first fields. Parsing decides. */
  readonly recognises: (bytes: Uint8Array) => boolean;
  /** Every field as it stands, unverified; bytes behind the end are left out. Throws `EvidenceError`. */
  readonly fields: (bytes: Uint8Array) => object;
}
