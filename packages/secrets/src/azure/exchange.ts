/** One HTTPS exchange. The caller brings the network, its allow-list, time-outs, limits and trust anchors. */
export type Exchange = (request: ExchangeRequest) => Promise<{
  readonly status: number;
  readonly body: Uint8Array;
}>;

export interface ExchangeRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}
