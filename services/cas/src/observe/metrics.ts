import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Observations that wait at most. */
const most = 64;
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What is read when somebody asks for the metrics. */
export interface Watched {
  /** Sessions that exist. */
  sessions(): number;
  /** The same with deleted ones, whose names stay taken. */
  namesTaken(): number;
  /** How many of those there may be. */
  sessionLimit(): number;
  clientConnections(): number;
  serviceConnections(): number;
  /** Connections on the service port that are not attested yet. */
  pendingConnections(): number;
  /** Records in the audit log. */
  auditRecords(): number;
  /** Commits of the database. */
  commits(): number;
  ready(): boolean;
  /** Newest signed date of vendors' collateral that was seen, milliseconds since 1970; 0 before the first. */
  collateralDate(): number;
  /** Whether this state ever accepted simulated evidence. */
  simulated(): boolean;
}

/**
 * The metrics of one CAS (docs/reference/metrics.md). Labels are of closed sets: codes, routes, formats; never the name of
 * a session or of a client, which would tell everybody who may read metrics what runs here.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #waiting: (() => void)[] = [];
  readonly #attestations = this.#histogram('attestation_seconds', 'Attestations of services by result', [
    'result',
  ]);
  readonly #requests = this.#histogram('request_seconds', 'Requests of clients by route and status', [
    'route',
    'status',
  ]);
  readonly #verdicts = this.#histogram('evidence_seconds', 'Judgements of evidence by format and outcome', [
    'format',
    'outcome',
  ]);
  readonly #collateral = this.#histogram('collateral_seconds', 'Look-ups of collateral by outcome', [
    'outcome',
  ]);
  readonly #syncs = this.#histogram(
    'audit_sync_seconds',
    'Writes of audit records to the disk, a batch each',
    [],
  );
  readonly #commits = this.#histogram('commit_seconds', 'Commits of the database', []);
  readonly #handshakes = new Counter({
    name: 'ensconce_cas_handshake_failures_total',
    help: 'TLS handshakes that failed, by port',
    labelNames: ['port'],
    registers: [this.#registry],
  });

  /** From the finished handshake to the answer. `result` is `configured` or the code of the refusal. */
  attested(result: string, milliseconds: number): void {
    this.#later(() => this.#attestations.observe({ result }, milliseconds / 1000));
  }

  /** `route` is a row of the table of routes, or `none`. */
  answered(route: string, status: number, milliseconds: number): void {
    this.#requests.observe({ route, status }, milliseconds / 1000);
  }

  judged(format: string, outcome: string, milliseconds: number): void {
    this.#later(() => this.#verdicts.observe({ format, outcome }, milliseconds / 1000));
  }

  lookedUp(outcome: 'found' | 'failed', milliseconds: number): void {
    this.#collateral.observe({ outcome }, milliseconds / 1000);
  }

  audited(milliseconds: number): void {
    this.#later(() => this.#syncs.observe(milliseconds / 1000));
  }

  committed(milliseconds: number): void {
    this.#commits.observe(milliseconds / 1000);
  }

  handshakeFailed(port: 'client' | 'service'): void {
    this.#handshakes.inc({ port });
  }

  /** Adds what is read at each scrape. */
  watch(watched: Watched): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      const reading = new Gauge({
        name: `ensconce_cas_${name}`,
        help,
        registers: [],
        collect() {
          this.set(read());
        },
      });
      this.#registry.registerMetric(reading);
    };
    gauge('sessions', 'Sessions that exist', () => watched.sessions());
    gauge('sessions_held', 'Sessions that exist or were deleted', () => watched.namesTaken());
    gauge('sessions_limit', 'How many of these CAS takes', () => watched.sessionLimit());
    gauge('client_connections', 'Open connections on the client port', () => watched.clientConnections());
    gauge('service_connections', 'Open connections on the service port', () => watched.serviceConnections());
    gauge('pending_connections', 'Of these, not attested yet', () => watched.pendingConnections());
    gauge('audit_records', 'Records in the audit log', () => watched.auditRecords());
    gauge('commits', 'Commits of the database since it was made', () => watched.commits());
    gauge('ready', '1 where CAS can do its work', () => Number(watched.ready()));
    gauge(
      'collateral_date_seconds',
      'Newest signed date in vendors’ collateral that was seen, seconds since 1970',
      () => watched.collateralDate() / 1000,
    );
    gauge('accepted_simulation', '1 where simulated evidence was ever accepted', () =>
      Number(watched.simulated()),
    );
  }

  /** Adds memory, garbage collection and the lag of the event loop of this process. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In Prometheus' text format. */
  text(): Promise<string> {
    this.#settle();
    return this.#registry.metrics();
  }

  /** What is counted at each start waits for more of its kind: in a row it takes a tenth of the time that each takes between other work. */
  #later(count: () => void): void {
    this.#waiting.push(count);
    if (this.#waiting.length >= most) this.#settle();
  }

  #settle(): void {
    for (const count of this.#waiting) count();
    this.#waiting.length = 0;
  }

  #histogram(name: string, help: string, labelNames: string[]): Histogram {
    return new Histogram({
      name: `ensconce_cas_${name}`,
      help,
      labelNames,
      buckets: seconds,
      registers: [this.#registry],
    });
  }
}
