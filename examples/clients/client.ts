// Needs Node 22.18 or newer: node client.ts http://localhost:8081
const base = process.argv[2];
type User = { name?: string; age: number; occupation: string };

/** Repeats 503 after Retry-After, five times at most. */
async function call(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
  headers = { "Content-Type": "application/json", ...headers };
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(base + path, { method, body, headers, signal: AbortSignal.timeout(30_000) });
    if (answer.status !== 503 || attempt === 5) return answer;
    await answer.body?.cancel();
    const seconds = Math.min(Number(answer.headers.get("Retry-After") ?? 1), 30);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

const path = (name: string) => "/users/" + encodeURIComponent(name);
const put = (name: string, user: User, headers = {}) => call("PUT", path(name), JSON.stringify(user), headers);

/** Changes a user so that no other client's change is lost. */
async function increment(name: string) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const answer = await call("GET", path(name));
    const user: User = await answer.json();
    const headers = { "If-Match": answer.headers.get("ETag")! };
    const { status } = await put(name, { ...user, age: user.age + 1 }, headers);
    if (status === 200) return;
    if (status !== 412) throw new Error(`unexpected status ${status}`);
  }
  throw new Error("gave up");
}

if (!(await put("TypeScript", { age: 0, occupation: "Counter" })).ok) throw new Error("not written");
console.log(await (await call("GET", path("TypeScript"))).text());
for (let i = 0; i < 5; i++) await increment("Counter");
const lines = [{ name: "TypeScript 1", age: 1, occupation: "Batch" }, { delete: "TypeScript" }];
const body = lines.map((line) => JSON.stringify(line) + "\n").join("");
console.log(await (await call("POST", "/users/batch", body, { "Content-Type": "application/x-ndjson" })).text());
