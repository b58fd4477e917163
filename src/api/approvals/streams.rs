//! The two calls that answer with a stream.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use super::lists::{moment, query_of, statuses};
use super::wire::{self, View};
use super::{ApprovalDesk, framed, read, refuse_invalid, tenant};
use crate::api::decode::flat_violations;
use crate::api::proto::v1;
use crate::api::refusal::Refusal;
use crate::api::reply::{ok_trailers, refusal_trailers};
use crate::approval::Sheet;
use crate::identity::Caller;
use crate::model::{Approval, ApprovalCursor, ApprovalQuery};

/// Messages that wait for a slow client.
const WAITING: usize = 4;
/// Approvals of one piece of an export.
const EXPORT_PAGE: u32 = 200;

/// Framed messages, as they come, and then the status.
#[derive(Debug)]
pub struct StreamBody {
    messages: mpsc::Receiver<Result<Bytes, Refusal>>,
    ended: bool,
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.messages.poll_recv(cx).map(|message| {
            Some(Ok(match message {
                Some(Ok(framed)) => Frame::data(framed),
                end => {
                    self.ended = true;
                    Frame::trailers(match end {
                        Some(Err(refusal)) => refusal_trailers(&refusal),
                        _ => ok_trailers(),
                    })
                }
            }))
        })
    }
}

impl ApprovalDesk {
    /// Sends an approval as it is and after each change, until it is final.
    pub(super) async fn watch(&self, message: &[u8], caller: &Caller) -> Result<StreamBody, Refusal> {
        let request: v1::WatchApprovalRequest = read(message)?;
        self.check_id(&request.tenant_id, &request.approval_id)?;
        let tenant = tenant(&request.tenant_id);
        self.authorise(caller, "watch", &request.approval_id, tenant)?;
        let mut watching = self.approvals.watch(tenant, &request.approval_id);
        // The first answer shows whether there is such an approval at all.
        let first = watching.next().await.map_err(Refusal::approval)?;
        let (sender, messages) = mpsc::channel(WAITING);
        self.control.spawn(async move {
            let mut next = Ok(first);
            while let Ok(Some(approval)) = next {
                if sender.send(Ok(watched(&approval))).await.is_err() {
                    return;
                }
                next = tokio::select! {
                    next = watching.next() => next,
                    () = sender.closed() => return,
                };
            }
            if let Err(error) = next {
                // A client that has gone needs no reason.
                let _ = sender.send(Err(Refusal::approval(error))).await;
            }
        });
        Ok(StreamBody { messages, ended: false })
    }

    /// Sends the approvals of a tenant as CSV.
    pub(super) async fn export(&self, message: &[u8], caller: &Caller) -> Result<StreamBody, Refusal> {
        let request: v1::ExportApprovalsRequest = read(message)?;
        refuse_invalid(flat_violations(&[("tenant_id", &request.tenant_id)], &[], &[], &self.limits))?;
        let tenant = tenant(&request.tenant_id);
        self.authorise(caller, "export", "", tenant)?;
        let query = ApprovalQuery {
            statuses: statuses(&request.status)?,
            from: moment("from", request.from)?,
            to: moment("to", request.to)?,
            include_archived: request.include_archived,
            limit: EXPORT_PAGE,
            ..query_of(tenant)
        };
        let (sender, messages) = mpsc::channel(WAITING);
        let desk = self.clone();
        self.control.spawn(async move {
            if let Err(refusal) = desk.send_pages(query, &sender).await {
                // A client that has gone needs no reason.
                let _ = sender.send(Err(refusal)).await;
            }
        });
        Ok(StreamBody { messages, ended: false })
    }

    async fn send_pages(
        &self,
        mut query: ApprovalQuery,
        sender: &mpsc::Sender<Result<Bytes, Refusal>>,
    ) -> Result<(), Refusal> {
        let mut sheet = Sheet::new().map_err(|_| Refusal::internal())?;
        loop {
            let page = self.approvals.list(&query).await.map_err(Refusal::approval)?;
            for approval in &page.items {
                sheet.add(approval).map_err(|_| Refusal::internal())?;
            }
            let csv = sheet.take().map_err(|_| Refusal::internal())?;
            if sender.send(Ok(framed(&v1::ExportApprovalsResponse { csv }))).await.is_err() {
                return Ok(());
            }
            match page.items.last().filter(|_| page.more) {
                Some(last) => query.after = Some(ApprovalCursor::behind(last)),
                None => return Ok(()),
            }
        }
    }
}

fn watched(approval: &Approval) -> Bytes {
    framed(&v1::WatchApprovalResponse { approval: Some(wire::approval(approval, View::Hidden)) })
}
