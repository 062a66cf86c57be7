#!/usr/bin/perl
# Fill an empty Request Tracker for the live tests: the queue, its custom fields, a service account
# with only the rights that a gateway needs, and an account for the person who opens the cases.
# Prints one JSON object: {"gateway_token": …, "requester_token": …}. Safe to run again (new tokens).
use strict;
use warnings;
use lib '/usr/share/request-tracker5/lib';
use JSON ();
use RT;
RT::LoadConfig();
RT::Init();

my $system = RT->SystemUser;

sub must {
    my ( $what, $ok, $message ) = @_;
    die "$what: " . ( $message // 'failed' ) . "\n" unless $ok;
    return $ok;
}

sub queue {
    my ($name) = @_;
    my $queue = RT::Queue->new($system);
    $queue->Load($name);
    must( "queue $name", $queue->Create( Name => $name, Description => 'Cases for robots' ) )
        unless $queue->id;
    return $queue;
}

sub custom_field {
    my ( $queue, $name ) = @_;
    my $field = RT::CustomField->new($system);
    $field->LoadByCols( Name => $name );
    return if $field->id;
    must(
        "custom field $name",
        $field->Create(
            Name       => $name,
            Type       => 'FreeformSingle',
            LookupType => 'RT::Queue-RT::Ticket',
            MaxValues  => 1,
        )
    );
    must( "custom field $name on a queue", $field->AddToObject($queue) );
}

sub account {
    my ( $name, $group_name, $queue, @rights ) = @_;
    my $user = RT::User->new($system);
    $user->Load($name);
    must( "user $name",
        $user->Create( Name => $name, Privileged => 1, EmailAddress => "$name\@example.test" ) )
        unless $user->id;
    my $group = RT::Group->new($system);
    $group->LoadUserDefinedGroup($group_name);
    unless ( $group->id ) {
        must( "group $group_name", $group->CreateUserDefinedGroup( Name => $group_name ) );
        must( "member of $group_name", $group->AddMember( $user->PrincipalId ) );
        must( "right $_", $group->PrincipalObj->GrantRight( Right => $_, Object => $queue ) )
            for @rights;
    }
    my $token = RT::AuthToken->new($system);
    my ( $ok, $message, $secret ) = $token->Create( Owner => $user->id, Description => 'live test' );
    must( "token of $name", $ok, $message );
    return $secret;
}

my $robots = queue('Robots');
queue('Facilities');    # one that the gateway's account must not see
my $hidden = RT::Ticket->new($system);
must(
    "ticket in Facilities",
    $hidden->Create( Queue => "Facilities", Subject => "Not for the gateway", Requestor => [] )
);
custom_field( $robots, $_ )
    for qw(RobotID RobotState GatewayCorrelation Location Destination Task);

my $gateway = account(
    'svc-gateway', 'robot-gateway', $robots,
    qw(SeeQueue ShowTicket ShowTicketComments ModifyTicket CommentOnTicket ReplyToTicket
        CreateTicket SeeCustomField ModifyCustomField OwnTicket TakeTicket)
);
my $requester = account(
    'pat-requester', 'robot-requesters', $robots,
    qw(SeeQueue ShowTicket ShowTicketComments CreateTicket ModifyTicket CommentOnTicket
        ReplyToTicket SeeCustomField ModifyCustomField)
);
print JSON::encode_json( { gateway_token => $gateway, requester_token => $requester } ), "\n";
