// Conversations over many traces, and what a run tells of repeats, waits and calls.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, paintedAfter } from './browser.mjs';
import { conversationTurn, retriedRun, send, spanIdOf, traceIdOf } from './otlp.mjs';
import { startServer, until } from './server.mjs';

const TURNS = 12;
const ODD = 'shop/eu?x=1#2 v1.2 50 %';
const RETRIED = 40;
let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await launch();
  for (let turn = 1; turn <= TURNS; turn += 1)
    await send(server.otlp, conversationTurn(turn, 'support-7', turn));
  await send(server.otlp, conversationTurn(30, ODD, 1, { content: false, model: 'my-own-model' }));
  await send(server.otlp, retriedRun(RETRIED));
  await until(async () => {
    const answer = await (await fetch(`${server.origin}/api/v1/traces?limit=200`)).json();
    return answer.traces.length === TURNS + 2;
  }, 'all turns being found');
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const width of [390, 1280]) {
  test(`from the list to a turn to its trace and back at ${width}`, async () => {
    const { page, shoot, check, close } = await openPage(browser, server.origin, { width });
    await page.goto('/');
    await page.getByRole('navigation').getByRole('link', { name: 'Conversations' }).click();
    await page.waitForURL('**/sessions');
    const grid = page.getByRole('grid', { name: 'Conversations' });
    const row = grid.getByRole('row').filter({ hasText: 'support-7' });
    assert.match(await row.innerText(), new RegExp(`\\b${TURNS}\\b`));
    await row.getByRole('link').click();
    await page.waitForURL('**/session/support-7');
    await page.getByRole('heading', { name: 'support-7' }).waitFor();
    const said = page.getByRole('list', { name: 'Conversation' });
    await said.getByText('Answer 1', { exact: true }).waitFor();
    await said.getByText('+1 new, 2 earlier').waitFor();
    await page.getByRole('button', { name: 'Tokens', exact: true }).click();
    await page.waitForURL(/bars=tokens/);
    const bars = page.getByRole('toolbar', { name: 'Go to a turn' });
    await bars.getByRole('button', { name: /^Turn 10: 1,020 tokens/ }).click();
    await page.waitForURL(/turn=10/);
    const heading = said.getByRole('heading', { name: /Turn 10/ });
    await page.waitForFunction(() => document.activeElement?.textContent?.includes('Turn 10'));
    const box = page.getByRole('region', { name: 'What was said' });
    const within = async (target) => {
      const [inner, outer] = [await target.boundingBox(), await box.boundingBox()];
      return inner.y >= outer.y - 1 && inner.y + inner.height <= outer.y + outer.height + 1;
    };
    assert.ok(await within(heading), 'the turn is in view');
    await said.getByText('Answer 10', { exact: true }).waitFor();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} px wider than the screen`);
    await shoot('session-turn');
    await heading.getByRole('link').click();
    await page.waitForURL(`**/trace/${traceIdOf(10)}`);
    await paintedAfter(page);
    await page.goBack();
    await heading.waitFor();
    await until(() => within(heading), 'the turn being in view again');
    const call = said.locator(`a[href="/trace/${traceIdOf(10)}?span=${spanIdOf(1)}"]`);
    await call.click();
    const details = page.getByRole('complementary', { name: 'Selected span' });
    await details.getByRole('link', { name: 'support-7' }).click();
    await page.waitForURL('**/session/support-7');
    await check();
    await close();
  });
}

test('the conversations by keyboard alone', async () => {
  const { page, check, close } = await openPage(browser, server.origin);
  await page.goto('/');
  await page.waitForFunction(() => document.querySelector('.dot.ok'));
  await page.keyboard.press('g');
  await page.keyboard.press('c');
  await page.waitForURL('**/sessions');
  await page.getByRole('grid', { name: 'Conversations' }).getByRole('row').nth(2).waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('Open the selected conversation').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/session/support-7');
  const bars = page.getByRole('toolbar', { name: 'Go to a turn' });
  await bars.getByRole('button', { name: /^Turn 1:/ }).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.waitForURL(/turn=3/);
  await check();
  await close();
});

test('any name has its page; an unknown cost is no zero; missing content says how to record it', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin);
  await page.goto('/sessions');
  const grid = page.getByRole('grid', { name: 'Conversations' });
  const row = grid.getByRole('row').filter({ hasText: ODD });
  await row.getByText('unknown').waitFor();
  await row.getByRole('link').click();
  await page.getByRole('heading', { name: ODD }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: ODD }).waitFor();
  await page.getByText('cost unknown', { exact: true }).waitFor();
  await page.getByText('OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true').waitFor();
  assert.doesNotMatch(await page.getByRole('main').innerText(), /\$0/);
  await shoot('session-silent');
  await check();
  await close();
});

test('a conversation that is not stored says so', async () => {
  const { page, close } = await openPage(browser, server.origin);
  await page.goto('/session/nowhere');
  await page.getByRole('heading', { name: 'No conversation of this name is stored' }).waitFor();
  await page.getByRole('link', { name: 'All conversations' }).click();
  await page.waitForURL('**/sessions');
  await close();
});

test('a run tells its retries, its waits and its calls, each the way to its span', async () => {
  const { page, shoot, check, close } = await openPage(browser, server.origin);
  await page.goto(`/trace/${traceIdOf(RETRIED)}?view=run`);
  await page.getByRole('heading', { name: '1 retry' }).waitFor();
  await page.getByText('for approvals').waitFor();
  await page.getByRole('button', { name: /execute_tool book did not fail/ }).click();
  await page.waitForURL(new RegExp(`span=${spanIdOf(4)}`));
  const calls = page.getByRole('region', { name: 'Calls of models' }).getByRole('row');
  assert.equal(await calls.count(), 3);
  const outer = calls.filter({ hasText: 'chat outer' });
  assert.match(await outer.innerText(), /not counted/);
  assert.ok(await outer.getAttribute('title'));
  await calls.getByRole('button', { name: 'chat inner' }).click();
  await page.waitForURL(new RegExp(`span=${spanIdOf(2)}`));
  await page.getByRole('complementary').getByText('GENAI_CAPTURE_MESSAGE_CONTENT=true').waitFor();
  await shoot('run-retries');
  await check();
  await close();
});

test('the page of a trace leads to its conversation', async () => {
  const { page, check, close } = await openPage(browser, server.origin);
  await page.goto(`/trace/${traceIdOf(3)}`);
  await page.getByRole('link', { name: 'Conversation support-7' }).click();
  await page.waitForURL('**/session/support-7');
  await page.getByRole('heading', { name: 'support-7' }).waitFor();
  await check();
  await close();
});

test('new turns appear while the conversation is open, and what is read stays where it is', async () => {
  const say = async (first, last) => {
    for (let turn = first; turn <= last; turn += 1)
      await send(server.otlp, conversationTurn(60 + turn, 'support-8', turn));
  };
  await say(7, 18);
  await until(async () => {
    const answer = await fetch(`${server.origin}/api/v1/conversations/support-8`);
    return answer.ok && (await answer.json()).traces === 12;
  }, 'all turns being found');
  const { page, check, close } = await openPage(browser, server.origin);
  await page.goto('/session/support-8');
  const bars = page.getByRole('toolbar', { name: 'Go to a turn' }).getByRole('button');
  await bars.nth(4).click();
  await page.waitForFunction(() => document.activeElement?.textContent?.includes('Turn 5'));
  const top = async (name) => (await page.getByRole('heading', { name }).boundingBox()).y;
  const before = await top(/Turn 5/);
  await say(19, 19);
  await bars.nth(12).waitFor();
  assert.ok(Math.abs((await top(/Turn 5/)) - before) <= 1, 'the fifth turn stays');
  // Late ones that came before all others: what was the fifth turn is the eleventh now.
  await say(1, 6);
  await bars.nth(18).waitFor();
  assert.ok(Math.abs((await top(/Turn 11/)) - before) <= 1, 'the eleventh turn is where the fifth was');
  await bars.nth(18).click();
  await page.getByText('Answer 19', { exact: true }).waitFor();
  await check();
  await close();
});
