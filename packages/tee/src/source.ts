/** Where a process runs: a confidential VM of Intel's or AMD's, an enclave under Gramine, or nowhere protected. */
export type Tee = 'tdx' | 'snp' | 'sgx' | 'sim';

/** Bytes of report data, of every TEE. */
export const reportDataSize = 64;
/** Bytes of a digest that a measurement register is extended with (SHA-384). */
export const digestSize = 48;

/** Evidence as the kernel or the LAS handed it over. Nothing of it is verified: that is for whoever it is sent to. */
export interface MadeEvidence {
  /** Of the bytes; simulated hardware uses the formats of real one. */
  readonly format: 'tdx' | 'snp' | 'sgx';
  readonly bytes: Uint8Array;
  /** AMD's certificate table as the host gave it to the guest (GHCB §4.1.8.1), where it gave one. */
  readonly certificates?: Uint8Array;
  /** What a service below the guest (an SVSM) says of itself, where there is one. */
  readonly manifest?: Uint8Array;
}

/** One TEE's way to evidence. Making evidence waits for the kernel, with the thread blocked, for up to tens of seconds. */
export interface EvidenceSource {
  readonly tee: Tee;
  /**
   * Evidence about this process's TEE over 64 bytes of report data.
   *
   * @throws TeeError; `RangeError` for report data of another length
   */
  makeEvidence(reportData: Uint8Array): Promise<MadeEvidence>;
  /**
   * Extends the run-time measurement register that belongs to the workload (TDX: RTMR3) by a digest of 48 bytes. Absent
   * where the hardware has none. Not to be repeated after a failure: the register may hold the digest already.
   *
   * @throws TeeError; `RangeError` for a digest of another length
   */
  extend?(digest: Uint8Array): Promise<void>;
}

export function checkReportData(reportData: Uint8Array): void {
  if (reportData.length !== reportDataSize)
    throw new RangeError(`report data: ${reportDataSize} bytes expected, ${reportData.length} found`);
}
