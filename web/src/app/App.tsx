import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ComponentType, lazy, Suspense } from "react";
import { RouterProvider } from "react-aria-components";
import { Route, Switch, useLocation } from "wouter";
import { ProblemError } from "../api/problem";
import { Spinner } from "../ui/Spinner";
import { WalletProvider } from "../wallet";
import { Layout } from "./Layout";
import { NotFound } from "./NotFound";
import { PageBoundary } from "./PageBoundary";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (count, error) => count < 2 && !(error instanceof ProblemError && error.status < 500),
    },
  },
});

const page = (load: () => Promise<{ default: ComponentType }>) => lazy(load);

/** Every page, loaded when it is first opened. */
const PAGES: [path: string, page: ComponentType][] = [
  ["/", page(() => import("../pages/front/FrontPage"))],
  ["/buy", page(() => import("../pages/buy/BuyPage"))],
  ["/jobs", page(() => import("../pages/jobs/JobsPage"))],
  ["/jobs/:job", page(() => import("../pages/job/JobPage"))],
  ["/earn", page(() => import("../pages/earn/EarnPage"))],
  ["/audit", page(() => import("../pages/audit/AuditPage"))],
  ["/audit/epochs/:epoch", page(() => import("../pages/epoch/EpochPage"))],
  ["/audit/disputes/:game", page(() => import("../pages/dispute/DisputePage"))],
  ["/book", page(() => import("../pages/book/BookPage"))],
  ["/risks", page(() => import("../pages/risks/RisksPage"))],
];

/** The whole app. */
export function App() {
  const [path, navigate] = useLocation();
  return (
    <QueryClientProvider client={queries}>
      <RouterProvider navigate={navigate}>
        <WalletProvider>
          <Layout>
            <PageBoundary key={path}>
              <Suspense fallback={<Spinner label="Loading the page" />}>
                <Switch>
                  {PAGES.map(([path, Page]) => (
                    <Route key={path} path={path}>
                      <Page />
                    </Route>
                  ))}
                  <Route>
                    <NotFound />
                  </Route>
                </Switch>
              </Suspense>
            </PageBoundary>
          </Layout>
        </WalletProvider>
      </RouterProvider>
    </QueryClientProvider>
  );
}
