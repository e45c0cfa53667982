import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { SourceRequest } from '@youworker/contracts/documents/sources'
import { LeaseLost } from '@youworker/database/jobs/jobs'
import { claim } from '@youworker/database/jobs/leases'
import { newId } from '@youworker/runtime/id'
import { startWebSite, type TestSite } from '@youworker/test-kit/web-site'
import { waitFor } from '@youworker/test-kit/wait-for'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GATHER_KIND } from './services/sources/source-starter.ts'
import { type Fixture, startFixture, testUser, type TestUser } from './test-fixture.ts'

let site: TestSite
let elsewhere: TestSite
let fixture: Fixture
let idle: Fixture
let root: string
const page = (title: string, text: string, ...links: string[]) =>
  `<html><head><title>${title}</title></head><body><h1>${title}</h1><p>${text}</p>${links.map((to) => `<a href="${to}">x</a>`).join(' ')}</body></html>`

beforeAll(async () => {
  elsewhere = await startWebSite({ '/': page('Elsewhere', 'Another site.') })
  site = await startWebSite({
    '/robots.txt': {
      body: 'User-agent: *\nDisallow: /private\nAllow: /private/open$\nCrawl-delay: 0.1',
      headers: { 'content-type': 'text/plain' },
    },
    '/sitemap.xml': () => {},
  })
  site.pages.set('/sitemap.xml', {
    body: `<urlset><url><loc>${site.origin}/orphan?a=1&amp;b=2</loc></url><url><loc>${elsewhere.origin}/</loc></url></urlset>`,
    headers: { 'content-type': 'application/xml' },
  })
  site.pages.set(
    '/start',
    page(
      'Start',
      'Where kingfishers begin.',
      '/deep/one',
      'deep/two?x=1',
      '/private/diary',
      '/private/open',
      '/gone',
      '/moved',
      `${elsewhere.origin}/`,
      '/style.css',
      'mailto:a@b.c',
      '#top',
      '/start#top',
    ),
  )
  site.pages.set('/deep/one', page('One', 'A page about cormorants.', '/deep/three', '/start'))
  site.pages.set('/deep/two?x=1', page('Two', 'A page about pelicans.'))
  site.pages.set('/deep/three', page('Three', 'A page about gannets.', '/deep/four'))
  site.pages.set('/deep/four', page('Four', 'A page about auks.'))
  site.pages.set('/private/open', page('Open', 'A page about ospreys.'))
  site.pages.set('/orphan?a=1&b=2', page('Orphan', 'A page about bitterns.'))
  site.pages.set('/moved', { status: 301, headers: { location: '/deep/one' } })
  root = await mkdtemp(join(tmpdir(), 'youworker-root-'))
  const fetching = { allow: [`127.0.0.1:${site.port}`, `127.0.0.1:${elsewhere.port}`], root }
  ;[fixture, idle] = [await startFixture({ fetching }), await startFixture({ worker: false, fetching })]
}, 120_000)
afterAll(async () => {
  await Promise.all([fixture?.[Symbol.asyncDispose](), idle?.[Symbol.asyncDispose]()])
  await Promise.all([site?.[Symbol.asyncDispose](), elsewhere?.[Symbol.asyncDispose]()])
  await rm(root, { recursive: true, force: true })
})

type Input = Partial<SourceRequest> & { readonly path_or_url: string }
const start = async (user: TestUser, input: Input, at = fixture) =>
  (await at.sources.start(SourceRequest.parse(input), user)).run_id
const ingest = async (user: TestUser, input: Input) => fixture.settled(user, await start(user, input))
const documentsOf = async (user: TestUser, at = fixture) => (await at.documents.list({ limit: 200, offset: 0 }, user)).documents
const pathsOf = async (user: TestUser) => (await documentsOf(user)).map(({ uri }) => uri.replace(site.origin, '')).sort()
const refused = (text: RegExp) =>
  expect.objectContaining({ code: 'VALIDATION_ERROR', message: expect.stringMatching(text) as string })

function rootUser(): TestUser {
  const user = testUser()
  return { ...user, caller: { ...user.caller, is_root: true } }
}

test('a page becomes a document with its URL; the same URL again replaces it', async () => {
  const user = testUser()
  const url = `${site.origin}/changing.php?page=1`
  site.pages.set('/changing.php?page=1', page('Changing', 'It is about herons.'))
  const run = await ingest(user, { path_or_url: `${url}#part`, tags: ['birds'], collection: 'web' })
  expect(run).toMatchObject({ status: 'success', percent: 100, totals: { files: 1 } })
  const [document] = await documentsOf(user)
  expect(document).toMatchObject({
    uri: url,
    source: 'web',
    mime: 'text/html',
    title: 'Changing',
    tags: ['birds'],
    collection: 'web',
  })
  expect((await fixture.find(user, 'herons'))[0]).toMatchObject({ document_id: document?.id, uri: url })

  site.pages.set('/changing.php?page=1', page('Changing', 'It is about egrets now.'))
  await ingest(user, { path_or_url: url })
  expect((await documentsOf(user)).map(({ id }) => id)).toEqual([document?.id])
  expect((await fixture.find(user, 'egrets'))[0]?.text).toContain('egrets')
  expect((await fixture.find(user, 'herons', { mode: 'lexical' }))[0]?.text ?? '').not.toContain('herons')
})

test('an upload with the name of a page is another document', async () => {
  const user = testUser()
  site.pages.set('/same.md', { body: '# Same\n\nFrom the web.', headers: { 'content-type': 'text/markdown' } })
  await ingest(user, { path_or_url: `${site.origin}/same.md` })
  await fixture.ingest(user, { [`127.0.0.1:${site.port}/same.md`]: '# Same\n\nFrom an upload.' })
  expect((await documentsOf(user)).map(({ source }) => source).sort()).toEqual(['upload', 'web'])
})

test('a crawl stays on its site, obeys robots.txt, reads the sitemap, and asks for one page at a time', async () => {
  const user = testUser()
  site.asked.length = 0
  const run = await ingest(user, { path_or_url: `${site.origin}/start`, recursive: true, max_depth: 2 })
  expect(await pathsOf(user)).toEqual(['/deep/one', '/deep/three', '/deep/two?x=1', '/orphan?a=1&b=2', '/private/open', '/start'])
  // `/moved` leads to a page that is fetched by its own name.
  expect(run).toMatchObject({ status: 'partial', totals: { files: 7 }, files_processed: 6 })
  expect(run.errors.join()).toMatch(/gone: the site answers with status 404/)
  expect(site.asked.filter((path) => path.startsWith('/private'))).toEqual(['/private/open'])
  expect(site.asked.filter((path) => path === '/robots.txt')).toHaveLength(1)
  expect(site.asked).not.toContain('/style.css')
  expect(elsewhere.asked).toEqual([])
  expect(site.mostAtOnce()).toBe(1)
  // Again: the same documents, no new ones.
  const before = (await documentsOf(user)).map(({ id }) => id).sort()
  await ingest(user, { path_or_url: `${site.origin}/start`, recursive: true, max_depth: 2 })
  expect((await documentsOf(user)).map(({ id }) => id).sort()).toEqual(before)
})

test('a crawl ends at its limits of depth and pages', async () => {
  const [shallow, few] = [testUser(), testUser()]
  await ingest(shallow, { path_or_url: `${site.origin}/start`, recursive: true, max_depth: 1 })
  expect(await pathsOf(shallow)).not.toContain('/deep/three')
  const run = await ingest(few, { path_or_url: `${site.origin}/start`, recursive: true, max_pages: 3 })
  expect([run.totals.files, (await documentsOf(few)).length]).toEqual([3, 3])
})

test('a page that may not or cannot be fetched ends with a reason, and what is not public is refused at once', async () => {
  const user = testUser()
  const closed = await ingest(user, { path_or_url: `${site.origin}/private/diary`, recursive: true, max_pages: 1 })
  expect(closed).toMatchObject({
    status: 'failed',
    files: [{ status: 'failed', error: expect.stringContaining('robots.txt') as string }],
  })
  const gone = await ingest(user, { path_or_url: `${site.origin}/gone` })
  expect(gone).toMatchObject({
    status: 'failed',
    files: [{ uri: `${site.origin}/gone`, error: 'the site answers with status 404' }],
  })
  site.pages.set('/to-inside', { status: 302, headers: { location: 'http://127.0.0.1:9/' } })
  const inside = await ingest(user, { path_or_url: `${site.origin}/to-inside` })
  expect(inside.errors.join()).toMatch(/there is no public site/)
  for (const path_or_url of [
    'http://127.0.0.1:9/',
    'http://169.254.169.254/latest',
    'http://10.0.0.1/',
    'http://no-such-host.invalid/',
  ]) {
    await expect(start(user, { path_or_url })).rejects.toEqual(refused(/no public site/))
  }
  await expect(start(user, { path_or_url: 'file:///etc/passwd', from_web: true })).rejects.toEqual(refused(/only http/))
  expect((await fixture.runs.list({ limit: 50, offset: 0 }, user)).total).toBe(3)
  expect(await documentsOf(user)).toEqual([])
})

test('a page into a group: only by a member, and found by its members', async () => {
  const [member, other, stranger] = [testUser(), testUser(), testUser()]
  const group_id = testUser().id
  fixture.groups.set(group_id, new Set([member.id, other.id]))
  const input = { path_or_url: `${site.origin}/deep/one`, group_id }
  await expect(start(stranger, input)).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })
  await ingest(member, input)
  expect(await fixture.find(other, 'cormorants')).toHaveLength(1)
  expect(await fixture.find(stranger, 'cormorants')).toEqual([])
})

test('files of the server: for root alone, below the open folder alone', async () => {
  const admin = rootUser()
  const outside = await mkdtemp(join(tmpdir(), 'youworker-outside-'))
  await writeFile(join(outside, 'secret.md'), '# Secret\n\nThe word is heliotrope.')
  await mkdir(join(root, 'docs', 'more'), { recursive: true })
  await writeFile(join(root, 'docs', 'a.md'), '# A\n\nAbout avocets.')
  await writeFile(join(root, 'docs', 'more', 'b ü.md'), '# B\n\nAbout buntings.')
  await writeFile(join(root, 'docs', '.hidden.md'), '# Hidden')
  await writeFile(join(root, 'docs', 'empty.md'), '')
  await symlink(join(outside, 'secret.md'), join(root, 'docs', 'link.md'))
  await symlink(outside, join(root, 'linked'))
  await promisify(execFile)('mkfifo', [join(root, 'docs', 'pipe.md')])
  await expect(start(testUser(), { path_or_url: 'docs/a.md' })).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' })
  for (const path of [
    '../secret.md',
    outside,
    join(outside, 'secret.md'),
    'docs/link.md',
    'linked',
    'linked/secret.md',
    '/etc/passwd',
    'docs/../../x',
    'none.md',
    'docs/a.md\0',
  ]) {
    await expect(start(admin, { path_or_url: path, recursive: true }), path).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
  }
  await expect(start(admin, { path_or_url: 'docs' })).rejects.toEqual(refused(/recursive: true/))
  const pipe = await ingest(admin, { path_or_url: 'docs/pipe.md' })
  expect(pipe).toMatchObject({ status: 'failed', files: [{ error: 'docs/pipe.md is no file' }] })

  const run = await ingest(admin, { path_or_url: join(root, 'docs'), recursive: true })
  expect(run).toMatchObject({ status: 'partial', totals: { files: 3 }, files_processed: 2 })
  expect(run.errors.join()).toMatch(/empty.md: the file is empty/)
  const documents = await documentsOf(admin)
  expect(documents.map(({ path, uri, source }) => [path, uri, source]).sort()).toEqual([
    ['docs/a.md', 'path://docs/a.md', 'path'],
    ['docs/more/b ü.md', 'path://docs/more/b%20%C3%BC.md', 'path'],
  ])
  await writeFile(join(root, 'docs', 'a.md'), '# A\n\nAbout albatrosses.')
  await ingest(admin, { path_or_url: 'docs/a.md' })
  expect(await documentsOf(admin)).toHaveLength(2)
  expect((await fixture.find(admin, 'albatrosses'))[0]?.text).toContain('albatrosses')
})

test('a crawl goes on behind what is stored when its worker dies, and each page is fetched once', async () => {
  const user = testUser()
  const hung = Promise.withResolvers<void>()
  site.pages.set('/hang', () => hung.resolve())
  site.pages.set('/chain', page('Chain', 'About chiffchaffs.', '/chain-2', '/hang', '/chain-3'))
  site.pages.set('/chain-2', page('Second', 'About siskins.'))
  site.pages.set('/chain-3', page('Third', 'About serins.'))
  site.pages.set('/sitemap.xml', { status: 404 })
  site.asked.length = 0
  const run_id = await start(user, { path_or_url: `${site.origin}/chain`, recursive: true }, idle)
  const [job] = await claim(idle.database.system, GATHER_KIND, newId(), { limit: 1 })
  if (!job) throw new Error('there is no job')
  const dies = new AbortController()
  const dying = idle.gatherer.process(job, { signal: dies.signal })
  await hung.promise
  // What `kill -9` leaves: the rows, and a lease that runs out.
  dies.abort(new LeaseLost('the process is gone'))
  await expect(dying).rejects.toThrow('the process is gone')
  expect((await idle.runs.get({ run_id }, user)).files.map(({ uri }) => uri.replace(site.origin, ''))).toEqual([
    '/chain',
    '/chain-2',
  ])
  site.pages.set('/hang', page('Hang', 'About hawfinches.'))
  await sql`update jobs set lease_until = now() - interval '1 s' where id = ${run_id}`.execute(idle.database.system)
  idle.newProcess(true)
  const run = await idle.settled(user, run_id)
  expect(run).toMatchObject({ status: 'success', files_processed: 4 })
  const count = (path: string) => site.asked.filter((each) => each === path).length
  expect(['/chain', '/chain-2', '/hang', '/chain-3'].map(count)).toEqual([1, 1, 2, 1])
  expect(await documentsOf(user, idle)).toHaveLength(4)
  const left = await sql<{ n: number }>`select count(*)::int as n from source_pages`.execute(idle.database.system)
  expect(left.rows).toEqual([{ n: 0 }])
})

test('a crawl that waits for its site is cancelled within 2 s, and its request ends', async () => {
  const user = testUser()
  const asked = Promise.withResolvers<void>()
  const left = Promise.withResolvers<void>()
  site.pages.set('/endless', (_request, response) => {
    response.once('close', left.resolve)
    asked.resolve()
  })
  const run_id = await start(user, { path_or_url: `${site.origin}/endless` })
  await asked.promise
  await fixture.runs.cancel({ run_id }, user)
  await left.promise
  expect(await fixture.settled(user, run_id)).toMatchObject({ status: 'cancelled' })
  const tasks = await fixture.runs.listTasks({ limit: 10, offset: 0 }, user)
  expect(tasks.tasks).toMatchObject([{ id: run_id, state: 'cancelled', type: 'ingestion' }])
  await sleep(50)
  await waitFor(async () => (await fixture.runs.get({ run_id }, user)).status === 'cancelled', { what: 'the cancelled run' })
})
