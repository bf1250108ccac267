import { type ReactNode, useEffect, useRef, useState } from "react";
import { Link, useLocation } from "wouter";
import { useNetwork } from "../network/network";
import { ConnectButton, MarketNotice } from "../wallet";
import { currentTheme, showTheme, type Theme } from "./theme";
import "./Layout.css";
import mark from "./mark.svg";

const PLACES: [path: string, name: string][] = [
  ["/buy", "Buy"],
  ["/jobs", "Jobs"],
  ["/earn", "Earn"],
  ["/audit", "Audit"],
  ["/book", "Order book"],
  ["/risks", "Risks"],
];

/** Header, navigation, the page, footer. */
export function Layout({ children }: { children: ReactNode }) {
  const [path] = useLocation();
  const main = useRef<HTMLElement>(null);
  useTitle(path);
  useFocusOnTurn(path, main);
  return (
    <>
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <header className="top">
        <div className="top-inner">
          <Link href="/" className="brand">
            <img src={mark} alt="" width={28} height={28} />
            Multitude
          </Link>
          <nav aria-label="Main">
            {PLACES.map(([place, name]) => (
              <Link key={place} href={place} aria-current={isAt(path, place) ? "page" : undefined}>
                {name}
              </Link>
            ))}
          </nav>
          <div className="top-end">
            <ThemeSwitch />
            <ConnectButton />
          </div>
        </div>
      </header>
      <main id="page" ref={main} tabIndex={-1}>
        <MarketNotice />
        {children}
      </main>
      <Footer />
    </>
  );
}

const isAt = (path: string, place: string) => path === place || path.startsWith(`${place}/`);

function useTitle(path: string) {
  useEffect(() => {
    const place = PLACES.find(([found]) => isAt(path, found));
    document.title = place ? `${place[1]} · Multitude` : "Multitude";
  }, [path]);
}

/** A turned page begins at its top, for the keyboard and for a screen reader too. */
function useFocusOnTurn(path: string, main: React.RefObject<HTMLElement | null>) {
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current === path) return;
    shown.current = path;
    main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [path, main]);
}

function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(currentTheme);
  useEffect(() => showTheme(theme), [theme]);
  const other = theme === "dark" ? "light" : "dark";
  return (
    <button
      type="button"
      className="theme"
      aria-label={`Use the ${other} theme`}
      onClick={() => {
        showTheme(other, true);
        setTheme(other);
      }}
    >
      <span aria-hidden="true">{theme === "dark" ? "☀" : "☾"}</span>
    </button>
  );
}

function Footer() {
  const { data: network } = useNetwork();
  return (
    <footer className="bottom small soft">
      <p>
        No contract here has been audited: test networks only. Inputs and outputs of every job are public.{" "}
        <Link href="/risks">Risks</Link>
      </p>
      <p>
        {network ? `Chain ${network.chainId}. ` : ""}
        <a href="/docs">The API</a>
      </p>
    </footer>
  );
}
