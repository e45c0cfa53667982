// `pnpm build`: everything that the image is built from, in dist/. Node runs the TypeScript as it is, so nothing is compiled.
import { cp, readdir, readFile, rm } from 'node:fs/promises'
import { join, matchesGlob, relative } from 'node:path'

const ROOT = join(import.meta.dirname, '../../..')
const DIST = join(ROOT, 'dist')
const DOCKERFILE = 'infra/docker/Dockerfile'

/** What the Dockerfile copies from its context: `COPY a b ./`. */
const copied = (await readFile(join(ROOT, DOCKERFILE), 'utf8'))
  .split('\n')
  .filter((line) => /^COPY (?!--)/.test(line))
  .flatMap((line) => line.split(/\s+/).slice(1, -1))
const ignored = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n').filter((line) => line !== '')
const isWanted = (path: string): boolean => !ignored.some((glob) => matchesGlob(relative(ROOT, path), glob))

await rm(DIST, { recursive: true, force: true })
for (const name of [...copied, DOCKERFILE]) await cp(join(ROOT, name), join(DIST, name), { recursive: true, filter: isWanted })
const files = (await readdir(DIST, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length
console.log(`dist/ has the ${files} files of the image: docker build -f dist/${DOCKERFILE} --build-arg SERVICE=gateway dist`)
