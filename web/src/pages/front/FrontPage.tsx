import { Link } from "wouter";
import { messageOf } from "../../api/problem";
import { Notice } from "../../ui/Notice";
import { Picture } from "./Picture";
import { useFront } from "./useFront";
import "./front.css";

const DOORS: readonly { href: string; name: string; what: string }[] = [
  {
    href: "/buy",
    name: "Buy",
    what: "Choose a program, add inputs and see what they would cost before you sign; you never pay above your cap.",
  },
  {
    href: "/earn",
    name: "Earn",
    what: "Let this tab work while it is open: it runs the tasks that a desktop device runs, and is paid alike.",
  },
  {
    href: "/audit",
    name: "Audit",
    what: "Run settled tasks again in your browser and compare them with what the chain says.",
  },
];

/** What Multitude is, the network in one picture, three doors. */
export default function FrontPage() {
  const { chain, market, chainError } = useFront();
  return (
    <div className="stack">
      <div className="hero stack-tight">
        <h1>One verified computer out of many devices</h1>
        <p>
          Multitude runs programs on idle computers, phones and browser tabs, which all give the same result, bit for
          bit. Tasks drawn at random are run again before anybody is paid, and a device that lied loses its stake.
        </p>
      </div>
      {chainError ? (
        <Notice tone="warn" title="The chain cannot be read">
          <p>{messageOf(chainError).split("\n")[0]} The picture shows only what the market says.</p>
        </Notice>
      ) : null}
      <Picture chain={chain} market={market} />
      <nav className="columns" aria-label="What to do here">
        {DOORS.map(({ href, name, what }) => (
          <Link key={href} href={href} className="door card">
            <h2>{name}</h2>
            <p>{what}</p>
          </Link>
        ))}
      </nav>
    </div>
  );
}
