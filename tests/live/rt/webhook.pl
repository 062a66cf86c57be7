#!/usr/bin/perl
# Add a webhook to the queue Robots: one signed POST for each batch of ticket transactions that the
# gateway's own account did not make. Reads HOOK_URL and HOOK_SECRET from the environment.
# Signed as Standard Webhooks asks: HMAC-SHA256 over "id.timestamp.body" in three headers.
use strict;
use warnings;
use lib '/usr/share/request-tracker5/lib';
use RT;
RT::LoadConfig();
RT::Init();

my $url    = $ENV{HOOK_URL}    or die "HOOK_URL is not set\n";
my $secret = $ENV{HOOK_SECRET} or die "HOOK_SECRET is not set\n";
die "HOOK_URL must hold no quotes, backslashes or braces\n"    if $url =~ /['\\{}]/;
die "HOOK_SECRET must hold letters, digits, _, +, / and = only\n" if $secret =~ m{[^\w+/=]};

my $code = <<'CODE';
require LWP::UserAgent; require JSON; require Digest::SHA; require MIME::Base64;
my $transaction = $self->TransactionObj;
return 1 if ( $transaction->CreatorObj->Name || '' ) eq 'svc-gateway';
my $body = JSON::encode_json({
    ticket      => $self->TicketObj->id + 0,
    transaction => $transaction->id + 0,
    type        => $transaction->Type,
});
my ( $id, $time ) = ( 'rt-' . $transaction->id, time );
my $key  = MIME::Base64::decode_base64('SECRET' =~ s/^whsec_//r);
my $mac  = Digest::SHA::hmac_sha256( "$id.$time.$body", $key );
my $sent = LWP::UserAgent->new( timeout => 2 )->post(
    'URL',
    'Content-Type'      => 'application/json',
    'webhook-id'        => $id,
    'webhook-timestamp' => $time,
    'webhook-signature' => 'v1,' . MIME::Base64::encode_base64( $mac, '' ),
    Content             => $body,
);
RT->Logger->warning( 'webhook ' . $sent->code ) unless $sent->is_success;
1;
CODE
$code =~ s/SECRET/$secret/;
$code =~ s/URL/$url/;

my $queue = RT::Queue->new( RT->SystemUser );
$queue->Load('Robots');
my ( $ok, $message ) = RT::Scrip->new( RT->SystemUser )->Create(
    Queue                  => $queue->id,
    Description            => 'webhook',
    Template               => 'Blank',
    ScripCondition         => 'User Defined',
    ScripAction            => 'User Defined',
    Stage                  => 'TransactionBatch',
    CustomIsApplicableCode => '1',
    CustomPrepareCode      => '1',
    CustomCommitCode       => $code,
);
die "webhook: $message\n" unless $ok;
