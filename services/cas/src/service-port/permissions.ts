/**
 * What whoever starts CAS lets sessions ask for, each by itself: no session can allow itself what is not allowed here. Believing a
 * simulated vendor is a third one, and belongs to the verifier of evidence.
 */
export interface InsecurePermissions {
  /** Sessions with `mode: none` give their secrets to whoever asks. */
  readonly modeNone: boolean;
  /** `tolerate: [debug-mode]` counts: the host can read the memory of such a service. */
  readonly debugMode: boolean;
}

export const nothingInsecure: InsecurePermissions = { modeNone: false, debugMode: false };
