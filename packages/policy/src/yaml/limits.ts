/** Bounds on a session text, which anybody who may create a session can choose. */
export const limits = {
  /** UTF-8 bytes (and so at most as many UTF-16 units). */
  textBytes: 1024 * 1024,
  /** Lexical tokens, white space included. */
  tokens: 200_000,
  /** Lists and maps inside each other. */
  depth: 48,
  /** Nodes after aliases are followed. */
  nodes: 50_000,
  /** Reported at once; the rest is counted. */
  problems: 200,
} as const;
