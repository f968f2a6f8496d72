/** `size` unpredictable bytes from a cryptographic source. */
export type Random = (size: number) => Uint8Array;
