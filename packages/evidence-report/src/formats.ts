/** What `evidence verify` and `evidence show` read, for messages. */
export const knownFormats =
  'an SGX or TDX quote, an SEV-SNP report, an RA-TLS certificate, a Nitro document, Azure evidence or a TPM quote with its key';
