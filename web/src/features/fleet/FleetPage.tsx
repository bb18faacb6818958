import { Button, Skeleton, Title } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation, useSearch } from "wouter";
import { messageOf } from "../../api/errors";
import { useFleet } from "../../api/fleet";
import { useMe } from "../../api/session";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatCount } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { useTitle } from "../../ui/useTitle";
import { AddDevice } from "./AddDevice";
import { FirstSteps } from "./FirstSteps";
import { FleetFilters } from "./FleetFilters";
import { FleetList, type ListHandle } from "./FleetList";
import { SavedViews } from "./SavedViews";
import { StatusRollUp } from "./StatusRollUp";
import { storageKey } from "./savedViews";
import { useFleetItems } from "./useFleetItems";
import { cleared, isFiltered, searchOf, toggled, type View, viewOf } from "./view";
import "./fleet.css";

export function FleetPage() {
  const { t } = useTranslation("fleet");
  useTitle(t("title"));
  const me = useMe();
  const search = useSearch();
  const [, navigate] = useLocation();
  const [adding, setAdding] = useState(false);
  const view = viewOf(search);
  // The first rows before the counts, which the server takes longer for; groups are made of the counts.
  const [begun, setBegun] = useState(false);
  const fleet = useFleet(view, begun || view.grouped);
  const rows = useFleetItems(view, fleet.data);
  if (!begun && !rows.pending) setBegun(true);
  const field = useRef<HTMLInputElement>(null);
  const list = useRef<ListHandle>(null);
  useSlash(() => field.current?.focus());

  const show = (next: View, replace = false) => {
    const address = searchOf(next);
    navigate(address ? `/devices?${address}` : "/devices", { replace });
  };
  const mayAdd = me.data?.role !== "viewer";
  const filtered = isFiltered(view);
  const error = rows.error ?? (fleet.data ? null : fleet.error);
  const ready = !rows.pending && !error;
  const none = ready && rows.items.length === 0;

  return (
    <>
      <div className="page-head">
        <div>
          <Title order={1} size="h2">
            {t("title")}
          </Title>
          <p className="muted fleet-count" role="status" data-testid="fleet-count">
            {fleet.data &&
              (filtered
                ? t("count.matching", {
                    number: formatCount(fleet.data.matching),
                    all: formatCount(fleet.data.devices),
                  })
                : t("count.all", { count: fleet.data.devices, number: formatCount(fleet.data.devices) }))}
          </p>
        </div>
        {mayAdd && fleet.data?.devices !== 0 && (
          <Button leftSection={<Icon name="plus" />} onClick={() => setAdding(true)}>
            {t("add.open")}
          </Button>
        )}
      </div>
      {fleet.data?.devices === 0 ? (
        <FirstSteps onAdd={mayAdd ? () => setAdding(true) : undefined} />
      ) : (
        <>
          <SavedViews
            key={storageKey(me.data?.user?.id ?? "", me.data?.tenant?.id ?? "")}
            storageKey={storageKey(me.data?.user?.id ?? "", me.data?.tenant?.id ?? "")}
            search={searchOf(view)}
          />
          <StatusRollUp
            counts={fleet.data?.statuses}
            chosen={view.status}
            onToggle={(status) => show({ ...view, status: toggled(view.status, status) })}
          />
          <FleetFilters
            view={view}
            fleet={fleet.data}
            search={field}
            onChange={show}
            onLeaveSearch={() => list.current?.enter()}
          />
          {error && (
            <Failure
              title={t("failure")}
              message={messageOf(error)}
              onRetry={() => {
                void fleet.refetch();
                rows.again();
              }}
            />
          )}
          {rows.pending && !error && <ListSkeleton />}
          {none && filtered && (
            <div className="card">
              <Empty title={t("none.title")}>
                <span>{t("none.text")}</span>
                <Button variant="default" onClick={() => show(cleared(view))}>
                  {t("filter.clear")}
                </Button>
              </Empty>
            </div>
          )}
          {ready && rows.items.length > 0 && (
            <FleetList
              key={searchOf({ ...view, flipped: [] })}
              view={searchOf({ ...view, flipped: [] })}
              items={rows.items}
              types={view.type}
              handle={list}
              onToggle={(location) => show({ ...view, flipped: toggled(view.flipped, location) }, true)}
              onMore={rows.more}
            />
          )}
        </>
      )}
      {rows.readers}
      {adding && <AddDevice onClose={() => setAdding(false)} />}
    </>
  );
}

/** The page before its first answer, in its own shape. */
function ListSkeleton() {
  const { t } = useTranslation("fleet");
  return (
    <div className="card list" role="status" aria-label={t("loading")}>
      {Array.from({ length: 8 }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows without anything of their own
        <div key={index} className="skeleton-row">
          <Skeleton height={16} width="60%" radius="sm" />
          <Skeleton height={16} radius="sm" />
          <Skeleton height={28} radius="sm" />
        </div>
      ))}
    </div>
  );
}

/** `/` leads to the search from wherever nothing is being written. */
function useSlash(go: () => void): void {
  const latest = useRef(go);
  latest.current = go;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as HTMLElement;
      if (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
      if (document.querySelector('[role="dialog"]')) return;
      event.preventDefault();
      latest.current();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
