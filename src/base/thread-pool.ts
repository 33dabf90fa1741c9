/** How many threads libuv's pool has: what everything that may block on a disk shares. */

const DEFAULT_THREADS = 4;
const MAX_THREADS = 1024;

/** As libuv reads it at its first use; bin/devmapper asks for 64. */
export function poolThreadCount(): number {
  const asked = Number(process.env['UV_THREADPOOL_SIZE'] ?? DEFAULT_THREADS);
  return Number.isFinite(asked) ? Math.min(MAX_THREADS, Math.max(1, asked)) : DEFAULT_THREADS;
}
