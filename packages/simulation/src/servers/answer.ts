/** What a simulated server says to a GET request. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export type Handler = (path: string) => Promise<Answer>;

export const notFound: Answer = { status: 404, headers: {}, body: new Uint8Array() };
export const badRequest: Answer = { status: 400, headers: {}, body: new Uint8Array() };
/** What there was once, and is withdrawn. */
export const gone: Answer = { status: 410, headers: {}, body: new Uint8Array() };
