import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

const registry = new Registry()
const registers = [registry]
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

const histogram = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
  new Histogram({ name, help, labelNames, registers, buckets })
const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
  new Gauge({ name, help, labelNames, registers })
const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
  new Counter({ name, help, labelNames, registers })

/** All metrics of the system. Durations are in seconds. */
export const metrics = {
  httpRequestDuration: histogram('http_request_duration_seconds', 'HTTP requests by route', 'route', 'method', 'status'),
  rpcDuration: histogram('rpc_duration_seconds', 'NATS requests served, by subject', 'subject'),
  dbQueryDuration: histogram('db_query_duration_seconds', 'Queries by service', 'service'),
  dbPoolActive: gauge('db_pool_active', 'Connections in use', 'service'),
  dbPoolIdle: gauge('db_pool_idle', 'Idle connections', 'service'),
  dbPoolWaiting: gauge('db_pool_waiting', 'Waits for a connection', 'service'),
  dbPoolMax: gauge('db_pool_max', 'Size of the pool', 'service'),
  cacheHits: counter('cache_hits_total', 'Cache hits', 'cache', 'tier'),
  cacheMisses: counter('cache_misses_total', 'Cache misses', 'cache', 'tier'),
  cacheEvictions: counter('cache_evictions_total', 'Entries dropped for room', 'cache', 'tier'),
  cacheStale: counter('cache_stale_total', 'Entries found that were out of date', 'cache', 'tier'),
  wsConnections: gauge('ws_connections', 'Open WebSockets'),
  sseStreams: gauge('sse_streams', 'Open event streams'),
  streamHeldBytes: gauge('stream_held_bytes', 'Bytes that wait for clients which read slowly', 'kind'),
  slowClients: counter('slow_clients_total', 'Clients that were disconnected because they did not read', 'kind'),
  breakerState: gauge('breaker_state', '0 closed, 1 half open, 2 open', 'target'),
  jobsWaiting: gauge('jobs_waiting', 'Jobs that wait', 'kind'),
  jobsRunning: gauge('jobs_running', 'Jobs running in this process', 'kind'),
  jobsTaken: counter('jobs_taken_total', 'Jobs that this process has taken', 'kind'),
  jobsFailed: counter('jobs_failed', 'Jobs that failed for good', 'kind'),
  jobOldest: gauge('job_oldest_seconds', 'Age of the oldest waiting job', 'kind'),
  workersAlive: gauge('workers_alive', 'Workers in this process', 'kind'),
  outboxLag: gauge('outbox_lag_seconds', 'Age of the oldest unpublished event', 'service'),
  deadLetters: gauge('dead_letters', 'Events that were given up and wait for somebody, by service', 'service'),
  modelTokens: counter('model_tokens_total', 'Tokens by model', 'model', 'direction'),
  modelTtft: histogram('model_ttft_seconds', 'Time to the first token', 'model'),
  toolRuns: counter('tool_runs_total', 'Tool calls', 'tool', 'status'),
  audioDuration: histogram('audio_duration_seconds', 'Calls of the audio server', 'kind', 'status'),
  diskFree: gauge('disk_free_bytes', 'Free space of the file system of a folder', 'folder'),
  diskFreeInodes: gauge('disk_free_inodes', 'Files that can still be made in the file system of a folder', 'folder'),
  searchDuration: histogram('search_duration_seconds', 'Searches by mode', 'mode'),
}

let defaults = false

/** Renders all metrics, with those of the process itself, in Prometheus' text format. */
export async function renderMetrics(): Promise<{ contentType: string; body: string }> {
  if (!defaults) collectDefaultMetrics({ register: registry })
  defaults = true
  return { contentType: registry.contentType, body: await registry.metrics() }
}
