import type { ReactNode } from "react";
import { Dialog as AriaDialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { Button } from "./Button";
import "./Dialog.css";

/** A modal dialog that its opener holds open; Escape and the cross close it unless `isDismissable` is false. */
export function Dialog({
  title,
  isOpen,
  onClose,
  children,
  isDismissable = true,
  role = "dialog",
}: {
  title: string;
  isOpen: boolean;
  onClose: () => void;
  children: ReactNode;
  isDismissable?: boolean;
  role?: "dialog" | "alertdialog";
}) {
  return (
    <ModalOverlay
      className="overlay"
      isOpen={isOpen}
      isDismissable={isDismissable}
      isKeyboardDismissDisabled={!isDismissable}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Modal className="modal">
        <AriaDialog role={role} className="dialog">
          <div className="row spread">
            <Heading slot="title" level={2}>
              {title}
            </Heading>
            {isDismissable ? (
              <Button kind="quiet" aria-label="Close" onPress={onClose}>
                ✕
              </Button>
            ) : null}
          </div>
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
