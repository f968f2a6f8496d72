/** What a span may say: of closed sets and numbers, never a secret, a name or anything that a stranger chose. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** One thing that CAS does, from its begin to its end, with the steps in it. */
export interface Trace {
  /** Does `work` as a step of this. */
  step<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
  /** `failure` is the public code of what went wrong. */
  end(attributes: Attributes, failure?: string): void;
}

export interface Tracing {
  begin(name: string, attributes: Attributes): Trace;
  /** Sends what has not been sent; gives up after a while. */
  close(): Promise<void>;
}

const untraced: Trace = {
  step: (_name, work) => work(),
  end: () => undefined,
};

/** Where nobody asked for traces. */
export const noTracing: Tracing = { begin: () => untraced, close: () => Promise.resolve() };
